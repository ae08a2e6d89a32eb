"""The tables of the index, in SQL.

`sources` has a row for each record, `items` what a list shows of it, once it was judged. `changing` has the ids of
records that are about to change. `pending` has the rows of records that were written a moment ago: to put a row among
`sources` changes some thirty pages, which many rows together share. Who reads `sources` takes them in before that.
What finds rows is made after all rows are in, which takes a third of the time.
"""

VERSION = 3
"""Raised with each change of the tables; an index of another version is made anew."""

_COLUMNS = """\
  name_key TEXT NOT NULL,
  description_key TEXT NOT NULL,
  type TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  created INTEGER,
  updated INTEGER,
  health_status TEXT NOT NULL,
  sealed INTEGER NOT NULL,
  judged INTEGER,
  state TEXT,
  revision INTEGER,
  digest BLOB,
  record TEXT,
  results TEXT,
  settled INTEGER NOT NULL"""
"""Those of `sources` that `pending` has as well."""

TABLES = f"""
CREATE TABLE meta (generation INTEGER, boot TEXT, swept_at REAL) STRICT;
CREATE TABLE changing (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE pending (
  id TEXT PRIMARY KEY,
{_COLUMNS},
  labels TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE sources (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
{_COLUMNS}
) STRICT;
CREATE TABLE items (number INTEGER PRIMARY KEY, item BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT;
CREATE TABLE labels (
  key TEXT, value TEXT, name_key TEXT, id TEXT, number INTEGER, PRIMARY KEY (key, value, name_key, id)
) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE texts USING fts5(
  name_key, description_key, content='sources', content_rowid='number', tokenize='trigram case_sensitive 1'
);
"""
INDEXES = """
CREATE INDEX by_name ON sources (name_key, id);
CREATE INDEX by_name_down ON sources (name_key DESC, id);
CREATE INDEX by_type ON sources (type, name_key, id);
CREATE INDEX by_type_down ON sources (type DESC, name_key, id);
CREATE INDEX by_created_at ON sources (created_at, name_key, id);
CREATE INDEX by_created_at_down ON sources (created_at DESC, name_key, id);
CREATE INDEX by_updated_at ON sources (updated_at, name_key, id);
CREATE INDEX by_updated_at_down ON sources (updated_at DESC, name_key, id);
CREATE INDEX by_state ON sources (state, name_key, id);
CREATE INDEX by_health ON sources (health_status, name_key, id);
CREATE INDEX by_judgement ON sources (type, sealed, judged, state, health_status);
CREATE INDEX unsettled ON sources (number) WHERE settled = 0;
CREATE INDEX labels_by_key ON labels (key, name_key, id);
CREATE INDEX labels_by_number ON labels (number);
CREATE TRIGGER texts_added AFTER INSERT ON sources BEGIN
  INSERT INTO texts (rowid, name_key, description_key) VALUES (new.number, new.name_key, new.description_key);
END;
CREATE TRIGGER texts_removed AFTER DELETE ON sources BEGIN
  INSERT INTO texts (texts, rowid, name_key, description_key)
  VALUES ('delete', old.number, old.name_key, old.description_key);
END;
INSERT INTO texts (texts) VALUES ('rebuild');
"""
