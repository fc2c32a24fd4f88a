-- The built-in checks: both sides of each, on what people and models really write.
local checknames = require("orrery.model.agents.checknames")
local checks = require("orrery.knowledge.checks")
local json = require("orrery.core.json")
local sorted = require("orrery.kernel.sorted")

local function file(name, text)
  return { name = name, path = "/" .. name, text = text,
    value = name:find("%.json$") and assert(json.decode(text)) or nil }
end

local function run(name, artifacts, inputs)
  return assert(checks.built_in(name))({ step = "1", role = "dev", params = {},
    artifacts = artifacts, inputs = inputs or {}, value = artifacts[1] and artifacts[1].value })
end

local function of_text(name, text) return run(name, { file("notes.md", text) }) end
local function of_json(name, text) return run(name, { file("a.json", text) }) end

describe("a built-in check", function()
  it("has a function for every name and a sentence for people", function()
    for name, says in sorted.pairs(checknames.built_in) do
      assert.is_function(checks.built_in(name), name)
      assert.truthy(#says > 20, name)
    end
    assert.is_nil(checks.built_in("nobody_knows"))
  end)
end)

-- Joined here, so that no scanner takes this file for a leak.
local function j(...) return table.concat({ ... }) end

local leaks = {
  { "an AWS access key", j("aws_id: AKIA", "QWERTZUIOPASDFGH") },
  { "a GitHub token", j("remote https://x/ ghp_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8") },
  { "a GitHub fine-grained token", j("github_pat_", "11ABCDEFG0abcdefghijklmnop") },
  { "a GitLab token", j("glpat-", "x7K2mQ9sLp4RtV8wYz3B") },
  { "a Slack token", j("xoxb-", "1234567890-abcdefGHIJKL") },
  { "a Stripe key", j("stripe: sk_live_", "4eC39HqLyjWDarjtT1zdp7dc") },
  { "a Google key", j("AIza", "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q") },
  { "a model service's key", j("OPENAI=sk-", "proj-a1B2c3D4e5F6g7H8i9J0k1L2m3N4") },
  { "an npm token", j("//registry/:_authToken=npm_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8") },
  { "a web token", j("eyJhbGciOiJIUzI1", "NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fw") },
  { "an Azure account key", j("AccountKey=", "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4==;") },
  { "a private key", j("-----BEGIN RSA ", "PRIVATE KEY-----") },
  { "an OpenSSH key", j("-----BEGIN OPENSSH ", "PRIVATE KEY-----") },
  { "a PGP key", j("-----BEGIN PGP ", "PRIVATE KEY BLOCK-----") },
  { "a bearer header", j("Authorization: Bearer ", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4") },
  { "a password in an address", "db = postgres://app:hunter2@db.example.org:5432/app" },
  { "one behind a placeholder", "amqp://a:{PW}@h amqp://guest:s3cr3t!@mq" },
  { "an assignment", 'const dbPassword = "correct-horse"' },
  { "a setting", "SMTP_PASSWORD=Tr0ub4dor3" },
  { "a line of YAML", "  client_secret: 9f8a7b6c5d4e" },
  { "an exported one", "export API_KEY=9f8a7b6c5d4e" },
  { "Python", "password = 'letmein99'" },
}

local harmless = {
  "Store the password in the secret manager; never commit it.",
  "password: ${DB_PASSWORD}", "password: {{ db_password }}", "password = <your-password>",
  'password = process.env.DB_PASSWORD', 'password: os.environ["DB_PASSWORD"]',
  'const password = await getSecret("db")', "API_KEY=your-api-key-here", "token: string",
  "api_key: REPLACE_WITH_REAL_KEY", "secret: projects/p/secrets/db/versions/1",
  "client_secret: arn:aws:secretsmanager:eu-west-1:123456789012:secret:x", "token_type: Bearer",
  "password_min_length: 12", "max_tokens: 4096", "primary_key: customer_id",
  "postgres://app:{DB_PASSWORD}@db/app", "postgres://app:${PW}@db/app", "https://example.org/a:b@c",
  "git@github.com:a/b.git", "design token: color-primary-500", "secret: vault:kv/app#password",
  "key: value", "AKIAIOSFODNN7EXAMPLE", "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxx", "password: ********",
  "DB_PASSWORD_SECRET_ID=projects/p/secrets/db-password/versions/latest", "secret: op://vault/db",
  "private_key: /etc/ssl/private/app.pem", "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b8",
  "The token: a short-lived credential for the API.", "password: changeme", "password:",
  "id: 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "https://user@host/path", "-----BEGIN CERTIFICATE-----",
}

describe("no_hardcoded_secrets", function()
  for _, one in ipairs(leaks) do
    it("sees " .. one[1], function()
      assert.are.equal(1, #of_text("no_hardcoded_secrets", "first\n" .. one[2] .. "\n"), one[2])
    end)
  end

  it("lets through what stands for something else", function()
    for _, line in ipairs(harmless) do
      assert.are.same({}, of_text("no_hardcoded_secrets", line), line)
    end
  end)

  it("judges JSON by the names of its fields, in lists, too", function()
    local said = of_json("no_hardcoded_secrets", [[{"database":{"host":"db","dbPassword":"hunter2"},
      "users":[{"api_keys":["9f8a7b6c5d4e"]}],"passwordPolicy":"strong","token":"{TOKEN}"}]])
    assert.are.same({ "a.json#/database/dbPassword: a literal value for 'dbPassword' (7 characters)",
      "a.json#/users/0/api_keys/0: a literal value for 'api_keys' (12 characters)" }, said)
  end)

  it("never repeats the secret", function()
    for _, one in ipairs(leaks) do
      local said = table.concat(of_text("no_hardcoded_secrets", one[2]))
      assert.is_nil(said:find("hunter2", 1, true) or said:find("9f8a7b6c", 1, true), said)
    end
  end)

  it("takes long texts in its stride", function()
    assert.are.same({}, of_text("no_hardcoded_secrets", ("a "):rep(200000) .. ("x"):rep(200000)))
  end)
end)

describe("all_secrets_use_references", function()
  it("wants a reference or a placeholder under every secret's name", function()
    assert.are.same({}, of_json("all_secrets_use_references", [[{"password":"{DB_PASSWORD}",
      "environment_variables":{"DB_PASSWORD_SECRET_ID":"projects/p/secrets/db/versions/1",
      "API_TOKEN":"${API_TOKEN}","PORT":"8080"},"secret_references":{"db":{
      "secret_id":"projects/p/secrets/db/versions/1","environment_variable":"DB_SECRET_ID"}}}]]))
    assert.are.same({ "a.json#/connection_string_secret_ref: 'connection_string_secret_ref' is no "
      .. "reference to a secret", "a.json#/password: 'password' is empty",
      "a.json#/token: 'token' is no reference to a secret" },
      of_json("all_secrets_use_references", [[{"password":"","token":"some words of prose",
        "connection_string_secret_ref":"plain words"}]]))
  end)

  it("looks into secret_references", function()
    assert.are.same({ "a.json#/secret_references/db: secret_id is no reference to a secret store",
      "a.json#/secret_references/db: environment_variable is missing" },
      of_json("all_secrets_use_references", [[{"secret_references":{"db":{"secret_id":"pw"}}}]]))
  end)
end)

describe("resource_names_have_suffixes", function()
  local function with(text) return of_json("resource_names_have_suffixes", text) end

  it("takes hashes, their own suffix, ids and placeholders", function()
    assert.are.same({}, with([[{"resources":{
      "compute":[{"name":"app-dev-a3f2b1c"},{"name":"app-blue","unique_suffix":"blue"},
      {"name":"app-{env}-{unique_suffix}"},{"name":"app-${random_id.b.hex}"}],"storage":[]}}]]))
  end)

  it("refuses ordinary words and a suffix that is not there", function()
    assert.are.equal(2, #with([[{"resources":{"compute":[{"name":"backend"}],
      "storage":[{"name":"assets-dev","unique_suffix":"a3f2b1c"}]}}]]))
  end)

  it("does not pass what has no resources", function()
    assert.are.same({ "no artifact has resources" }, with("{}"))
  end)
end)

describe("connection_strings_use_placeholders", function()
  it("refuses a password, wherever it is, and takes placeholders", function()
    assert.are.same({}, of_json("connection_strings_use_placeholders",
      [[{"a":"postgres://u:{DB_PASSWORD}@h/d","b":"Server=h;Password=${PW};","c":"redis://h:6379"}]]))
    assert.are.equal(2, #of_json("connection_strings_use_placeholders",
      [[{"a":"postgres://u:hunter2@h/d","b":"Server=h;User Id=sa;Password=hunter2;"}]]))
  end)
end)

local whole = [[{"features":[
  {"id":"feature-1","name":"Login","description":"d","priority":"critical",
   "acceptance_criteria":["works"],"dependencies":[]},
  {"id":"feature-2","name":"Profile","description":"d","priority":"low",
   "acceptance_criteria":["works"],"dependencies":["feature-1"]}],"total_features":2}]]

describe("the checks of features", function()
  local names = { "all_critical_features_preserved", "acceptance_criteria_included",
    "dependencies_mapped" }

  it("take a complete list", function()
    for _, name in ipairs(names) do assert.are.same({}, of_json(name, whole)) end
  end)

  it("never take {} nor an empty list", function()
    for _, name in ipairs(names) do
      assert.are.equal(1, #of_json(name, "{}"))
      assert.are.equal(1, #of_json(name, '{"features":[]}'))
    end
  end)

  it("miss fields, counts and a critical feature of the input", function()
    assert.are.same({ "a.json#/features/0: description is missing",
      "a.json#/total_features: 3, but there are 1",
      "the critical feature 'Login' of in.json is missing" },
      run("all_critical_features_preserved", { file("a.json",
        '{"features":[{"id":"x","name":"X","priority":"low"}],"total_features":3}') },
        { file("in.json", whole) }))
  end)

  it("want criteria that say something", function()
    assert.are.same({ "a.json#/features/0: acceptance_criteria/1 is empty",
      "a.json#/features/1: no acceptance_criteria" }, of_json("acceptance_criteria_included",
      '{"features":[{"acceptance_criteria":["a"," "]},{"id":"b"}]}'))
  end)

  it("want dependencies that exist and do not go round", function()
    assert.are.same({ "a.json#/features/1: it depends on 'c', which is not there",
      "a.json#/features/2: no dependencies; none is []", "a.json#/features: they go round: a → b → a" },
      of_json("dependencies_mapped", [[{"features":[{"id":"a","dependencies":["b"]},
        {"id":"b","dependencies":["a","c"]},{"id":"d"}]}]]))
  end)
end)

describe("no_api_errors", function()
  it("sees reported errors and failed statuses", function()
    assert.are.same({}, of_json("no_api_errors", '{"errors":[],"error":null,"status":200}'))
    assert.are.equal(3, #of_json("no_api_errors",
      '{"errors":["x"],"calls":[{"status":503},{"status":"failed"}]}'))
  end)
end)
