// A stranger's client, with nothing but the types that openapi-typescript makes from /openapi.json.

import type { components } from "./wellhead.js";

type Create = components["schemas"]["DataSourceCreate"];
type Patch = components["schemas"]["DataSourcePatch"];
type Read = components["schemas"]["DataSourceRead"];
type Page = components["schemas"]["DataSourcePage"];
type Unsaved = components["schemas"]["DataSourceUnsaved"];
type Result = components["schemas"]["ValidationResult"];
type Request = components["schemas"]["ValidationRequest"];
type Problem = components["schemas"]["Problem"];
type PostgresRead = components["schemas"]["PostgresRead"];
type CsvRead = components["schemas"]["CsvRead"];

declare const process: { env: Record<string, string | undefined> };

const address = process.env["SERVICE_URL"] + "/api/v1/datasources";

interface Answer<Body> {
  body: Body;
  etag: string | null;
}

async function send(method: string, path: string, document?: Create | Patch | Unsaved | Request, etag?: string | null) {
  return fetch(address + path, {
    method,
    headers: {
      Authorization: `Bearer ${process.env["SERVICE_TOKEN"]}`,
      "Content-Type": "application/json",
      ...(etag ? { "If-Match": etag } : {}),
    },
    ...(document === undefined ? {} : { body: JSON.stringify(document) }),
  });
}

async function call<Body>(...request: Parameters<typeof send>): Promise<Answer<Body>> {
  const answer = await send(...request);
  if (!answer.ok) throw new Error(`${request[0]} ${request[1]}: ${answer.status} ${await answer.text()}`);
  return { body: (await answer.json()) as Body, etag: answer.headers.get("etag") };
}

async function refused(status: number, ...request: Parameters<typeof send>): Promise<Problem> {
  const answer = await send(...request);
  same(answer.status, status, `${request[0]} ${request[1]} is refused`);
  return (await answer.json()) as Problem;
}

const create = (document: Create) => call<Read>("POST", "", document);
const read = (id: string) => call<Read>("GET", `/${id}`);
const replace = (id: string, document: Create, etag?: string | null) => call<Read>("PUT", `/${id}`, document, etag);
const patch = (id: string, changes: Patch, etag?: string | null) => call<Read>("PATCH", `/${id}`, changes, etag);
const tried = (document: Unsaved) => call<Result>("POST", "/validate", document);
const validate = (id: string, changes: Patch) => call<Result>("POST", `/${id}/validate`, { changes });

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

// What was read of any type can be written.
function written(source: Read): Create {
  switch (source.type) {
    case "api":
    case "csv":
    case "json":
    case "mysql":
    case "postgres":
    case "redis":
      return source;
    default:
      throw new Error(`${source.name} cannot be read: ${source.state}`);
  }
}

async function livesItsLife(document: Create, changes: Patch): Promise<void> {
  const kind = document.type;
  const before = await tried(document);
  same(before.body.success, true, `${kind} validates before it is saved: ${JSON.stringify(before.body)}`);
  const made = await create(document);
  same([made.body.type, made.body.name, made.body.state], [kind, document.name, "ok"], "what is made is what was sent");
  const found = await read(made.body.id);
  same(found, made, "what is read is what was made");
  same(await replace(made.body.id, written(found.body), made.etag), made, "what was read can be put back");
  const patched = await patch(made.body.id, changes, made.etag);
  same([patched.body.description, patched.body.revision], ["Patched", 2], "a patch changes what it says");
  const stale = await refused(412, "PATCH", `/${made.body.id}`, changes, made.etag);
  same(stale.code, "revision_mismatch", "a stale ETag is refused");
  const result = await validate(made.body.id, changes);
  same(result.body.success, true, `${kind} validates: ${JSON.stringify(result.body)}`);
  const listed = await call<Page>("GET", `?type=${kind}&q=Patched`);
  same(listed.body.items.map((item) => item.id), [made.body.id], "the list has it");
}

interface Server {
  port: number;
  ca: string;
  password: string;
}
const servers = JSON.parse(process.env["SERVERS"] ?? "{}") as Record<"postgres" | "mysql" | "redis", Server>;

function login(kind: keyof typeof servers) {
  const { port, ca, password } = servers[kind];
  return { host: "localhost", port, ca_certificate: ca, password };
}

const shop = { database: "shop", username: "reader" };
const url = process.env["SERVICE_URL"] ?? "";
await livesItsLife({ name: "Orders 2", type: "postgres", ...login("postgres"), ...shop }, { type: "postgres", description: "Patched" });
await livesItsLife({ name: "Bills", type: "mysql", ...login("mysql"), ...shop }, { type: "mysql", description: "Patched" });
await livesItsLife({ name: "Cache", type: "redis", ...login("redis") }, { type: "redis", description: "Patched" });
await livesItsLife({ name: "Sales 2", type: "csv", path: "sales.csv" }, { description: "Patched" });
await livesItsLife({ name: "Sales of JSON", type: "json", path: "sales.json" }, { description: "Patched" });
await livesItsLife({ name: "This service", type: "api", url, health_path: "/healthz" }, { description: "Patched" });

// What does not fit is told with its place; a configuration to validate needs no name.
const wrong = await refused(422, "POST", "", { name: "Wrong", type: "csv", path: "../up.csv", delimiter: "::" });
same(wrong.errors?.map((error) => error.pointer).sort(), ["/delimiter", "/path"], "a problem says where");
const nameless = await tried({ type: "csv", path: "missing.csv" });
same(nameless.body.status, "failed", "what is not there does not validate");

console.log("ok");
