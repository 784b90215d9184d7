// A certified OpenID Connect provider (npm oidc-provider) on loopback, whose people sign in by `login_hint` alone.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

export const CLIENT_ID = "tenantry";
export const CLIENT_SECRET = "op-secret-not-for-production";
// Shorter than what the application takes for nearly ended, so that every wish for a token refreshes it.
const ACCESS_TOKEN_SECONDS = 30;
const PEOPLE = {
  ada: { name: "Ada Lovelace", email: "ada@example.com", email_verified: true },
  grace: { name: "Grace Hopper", email: "grace@example.com", email_verified: true },
  mallory: { name: "Mallory Moss", email: "mallory@example.com", email_verified: false },
};

// Answers { issuer, grants, close }; `grants` counts the grants of the token endpoint by type, and those that ended.
// A refresh token comes with the scope `offline_access` only, and that with a consent only, as the standard has it.
export async function startProvider(redirectUri) {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration(redirectUri));
  const grants = { authorization_code: 0, refresh_token: 0, revoked: 0, refused: [] };
  provider.on("grant.success", (ctx) => (grants[ctx.oidc.params.grant_type] += 1));
  provider.on("grant.error", (_ctx, error) => grants.refused.push(error.error));
  provider.on("grant.revoked", () => (grants.revoked += 1));
  const answer = provider.callback();
  server.on("request", (request, response) =>
    request.url.startsWith("/interaction/") ? signIn(provider, request, response) : answer(request, response),
  );
  const close = () => new Promise((done) => { server.close(done); server.closeAllConnections(); });
  return { issuer, grants, close };
}

function configuration(redirectUri) {
  const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
  return {
    clients: [{
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "client_secret_post",
    }],
    jwks: { keys: [{ ...key, use: "sig", alg: "RS256", kid: "one" }] },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    ttl: {
      AccessToken: ACCESS_TOKEN_SECONDS, AuthorizationCode: 60, Grant: 3600, IdToken: 300, Interaction: 600,
      RefreshToken: 3600, Session: 3600,
    },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, id) => PEOPLE[id] && { accountId: id, claims: () => ({ sub: id, ...PEOPLE[id] }) },
    loadExistingGrant,
  };
}

// Everybody agrees to everything: what is tested is our side.
async function loadExistingGrant(ctx) {
  const { client, session, provider, params } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(params.scope);
  await grant.save();
  return grant;
}

async function signIn(provider, request, response) {
  const { params, prompt } = await provider.interactionDetails(request, response);
  const denied = { error: "access_denied", error_description: "The person said no." };
  const agreed = prompt.name === "consent" ? { consent: {} } : { login: { accountId: params.login_hint } };
  const result = params.login_hint in PEOPLE ? agreed : denied;
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}
