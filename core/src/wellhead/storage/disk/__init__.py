"""What is on the disk: the directory of a store, its lock, and each kind of file that lies in it."""
