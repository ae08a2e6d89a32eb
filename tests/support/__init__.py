"""What the tests of core and of the plugins share."""
