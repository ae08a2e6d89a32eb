// A stranger's client, with nothing but the types that openapi-typescript makes from /openapi.json.

import type { components } from "./wellhead.js";

type Create = components["schemas"]["DataSourceCreate"];
type Patch = components["schemas"]["DataSourcePatch"];
type Read = components["schemas"]["DataSourceRead"];
type Page = components["schemas"]["DataSourcePage"];
type PostgresRead = components["schemas"]["PostgresRead"];
type CsvRead = components["schemas"]["CsvRead"];

declare const process: { env: Record<string, string | undefined> };

const address = process.env["SERVICE_URL"] + "/api/v1/datasources";

interface Answer<Body> {
  body: Body;
  etag: string | null;
}

async function call<Body>(method: string, path: string, document?: Create | Patch): Promise<Answer<Body>> {
  const answer = await fetch(address + path, {
    method,
    headers: { Authorization: `Bearer ${process.env["SERVICE_TOKEN"]}`, "Content-Type": "application/json" },
    ...(document === undefined ? {} : { body: JSON.stringify(document) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return { body: (await answer.json()) as Body, etag: answer.headers.get("etag") };
}

const create = (document: Create) => call<Read>("POST", "", document);
const read = (id: string) => call<Read>("GET", `/${id}`);
const replace = (id: string, document: Create) => call<Read>("PUT", `/${id}`, document);
const patch = (id: string, changes: Patch) => call<Read>("PATCH", `/${id}`, changes);

function same(actual: unknown, expected: unknown, claim: string): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) {
    throw new Error(`${claim}: ${JSON.stringify(actual)} is not ${JSON.stringify(expected)}`);
  }
}

function postgres(source: Read): PostgresRead {
  if (source.type !== "postgres") throw new Error("not of type postgres");
  return source;
}

function csv(source: Read): CsvRead {
  if (source.type !== "csv") throw new Error("not of type csv");
  return source;
}

// `type` tells what other fields there are.
function where(source: Read): string {
  if (source.type === "postgres") return `${source.host}:${source.port}`;
  if (source.type === "csv") return source.path;
  return source.state;
}

// Only what a type requires has to be given, and a secret can be written in every form.
const database = { name: "orders", type: "postgres", host: "db.example.com", database: "orders", username: "reader" } as const;
const made = await create({ ...database, password: process.env["SECRET"] ?? "" });
same(where(made.body), "db.example.com:5432", "a database is where it was said to be");
same(postgres(made.body).password?.is_set, true, "a secret is read as facts");
const file = await create({ name: "sales", type: "csv", path: "sales.csv", labels: { team: "sales" } });
same(where(file.body), "sales.csv", "a file is where it was said to be");
const shorthand = await create({ name: "short", type: "postgres", connection_string: "postgresql://reader@db.example.com/orders" });
same(postgres(shorthand.body).username, "reader", "a connection string gives the fields");
same(postgres(shorthand.body).password, null, "a secret that is not set is null");

// What GET returned can be PUT back as it is, and changes nothing.
for (const { body } of [made, file]) {
  const before = await read(body.id);
  const known = before.body.type === "postgres" ? postgres(before.body) : csv(before.body);
  const after = await replace(body.id, known);
  same(after.body, before.body, "what was read can be put back");
  same(after.body.revision, 1, "putting back makes no revision");
  same(after.etag, before.etag, "putting back keeps the ETag");
}

// A patch says only what to change.
const patched = await patch(made.body.id, { description: "Orders of the shop", labels: { owner: "ops" } });
same(patched.body.description, "Orders of the shop", "a patch changes what it says");
same(patched.body.revision, 2, "a change makes a revision");
same(postgres(patched.body).password, postgres(made.body).password, "a patch keeps the secret");
const cleared = await patch(made.body.id, { type: "postgres", password: null, labels: { owner: null } });
same(postgres(cleared.body).password, null, "null clears a secret");
same(cleared.body.labels, {}, "null removes a label");
const mended = await patch(file.body.id, { type: "csv", delimiter: ";", has_header: null });
same([csv(mended.body).delimiter, csv(mended.body).has_header], [";", true], "null takes a field back to its default");

const page = await call<Page>("GET", "?sort=name&limit=2");
same(page.body.items.map((item) => [item.name, where(item)]), [["orders", "db.example.com:5432"], ["sales", "sales.csv"]], "the list has them");
same(page.body.total, 3, "the list counts them");

console.log("ok");
