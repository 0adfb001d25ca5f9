// A real OpenID provider for the tests: npm `oidc-provider`, on loopback, with a person who logs in at a touch.
//
//   node provider.mjs PORT
//
// It prints `ready` and lives until standard input ends. Lines on standard input make it do things, each is answered:
//   person NAME     who logs in from now on
//   approve URL     what a person with a browser does at the address that the command line printed
//   rotate          another signing key; the one before is gone from the key set
//   down, up        every request is answered with 503, or no longer
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Provider } from "oidc-provider";

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const people = { alice: { groups: ["docker-developers"] }, carol: { groups: ["docker-admins"] } };
let person = "alice";
let isDown = false;

function key() {
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...pair.privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: randomUUID() };
}

function provider(keys) {
  const made = new Provider(issuer, {
    jwks: { keys },
    clients: [{
      client_id: "this-host", token_endpoint_auth_method: "none", redirect_uris: [], response_types: [],
      grant_types: ["urn:ietf:params:oauth:grant-type:device_code"],
    }],
    claims: { openid: ["sub"], profile: ["groups"] },
    conformIdTokenClaims: false,
    ttl: { AccessToken: 600, IdToken: 600, DeviceCode: 300, Interaction: 300, Session: 600, Grant: 600 },
    features: { devInteractions: { enabled: false }, deviceFlow: { enabled: true } },
    findAccount: (_, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  });
  // The page on which a person would log in and agree: both are done at once.
  made.use(async (ctx, next) => {
    if (!ctx.path.startsWith("/interaction/")) return next();
    const asked = await made.interactionDetails(ctx.req, ctx.res);
    let result = { login: { accountId: person } };
    if (asked.prompt.name === "consent") {
      const grant = new made.Grant({ accountId: asked.session.accountId, clientId: asked.params.client_id });
      grant.addOIDCScope("openid profile");
      result = { consent: { grantId: await grant.save() } };
    }
    await made.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
  });
  return made.callback();
}

let handle = provider([key()]);
const server = createServer((request, response) => {
  if (!isDown) return handle(request, response);
  response.writeHead(503).end("down");
});

// A browser: cookies are kept, redirects are followed.
async function browse(jar, url, form) {
  for (let step = 0; step < 10; step += 1) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const body = form && new URLSearchParams(form);
    const answer = await fetch(url, { method: form ? "POST" : "GET", headers: { cookie }, body, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      jar.set(name, value);
    }
    const next = answer.headers.get("location");
    if (!next) return answer.text();
    [url, form] = [new URL(next, url).href, undefined];
  }
  throw new Error("redirects in a circle");
}

async function approve(url) {
  const jar = new Map();
  const page = await browse(jar, url);
  const field = (name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(page)?.[1];
  const code = new URL(url).searchParams.get("user_code");
  return browse(jar, `${issuer}/device`, { xsrf: field("xsrf"), user_code: code, confirm: "yes" });
}

const commands = {
  person: (name) => { person = name; },
  approve,
  rotate: () => { handle = provider([key()]); },
  down: () => { isDown = true; },
  up: () => { isDown = false; },
};
server.listen(port, "127.0.0.1", () => console.log("ready"));
createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const [command, argument] = line.split(" ");
    await commands[command](argument);
    console.log("done");
  })
  .on("close", () => process.exit());
