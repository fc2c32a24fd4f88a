-- What a secret looks like: tokens of known services by their shape, passwords in addresses,
-- and literal values under names such as password or api_key. Placeholders and references to
-- a secret store are what should be there instead.
local regex = require("orrery.core.regex")

local secrets = {}

-- Shapes that nothing but a credential has. One that holds "EXAMPLE" is from a manual.
local shapes = {
  { "an AWS access key", [[\b(?:AKIA|ASIA)[0-9A-Z]{16}\b]] },
  { "a GitHub token", [[\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})]] },
  { "a GitLab token", [[\bglpat-[A-Za-z0-9_-]{20,}]] },
  { "a Slack token", [[\bxox[abeoprs]-[A-Za-z0-9-]{10,}]] },
  { "a Slack webhook", [[hooks\.slack\.com/services/T\w+/B\w+/\w{16,}]] },
  { "a Stripe key", [[\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}]] },
  { "a Google API key", [[\bAIza[0-9A-Za-z_-]{35}]] },
  { "an API key of a model service", [[\bsk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{24,}]] },
  { "a Hugging Face token", [[\bhf_[A-Za-z0-9]{30,}]] },
  { "an npm token", [[\bnpm_[A-Za-z0-9]{36}]] },
  { "a PyPI token", [[\bpypi-[A-Za-z0-9_-]{50,}]] },
  { "a SendGrid key", [[\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}]] },
  { "a DigitalOcean token", [[\bdo[opr]_v1_[a-f0-9]{64}]] },
  { "a signed web token", [[\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}]] },
  { "an Azure account key", [[\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40,}=*]] },
  { "a private key", [[-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----]] },
  { "a bearer token", [[\b[Bb]earer [A-Za-z0-9._~+/-]{24,}=*]] },
  { "basic authentication", [[\b[Bb]asic [A-Za-z0-9+/]{16,}={0,2}(?![A-Za-z0-9+/=])]] },
}

-- A name is one of a secret when it ends in one of these words …
local last_words = { password = true, passwd = true, pwd = true, passphrase = true,
  secret = true, token = true, apikey = true, credential = true, credentials = true,
  passcode = true }
-- … or in one of these and "key".
local before_key = { api = true, access = true, private = true, secret = true, signing = true,
  encryption = true, account = true, auth = true, client = true, service = true, master = true,
  license = true, webhook = true, session = true, jwt = true }

-- Values that say what kind of thing belongs there.
local plain_words = {}
for w in ([[string text number integer boolean object array null none nil true false required
  optional hidden masked redacted removed encrypted hashed bcrypt argon2 argon2id scrypt pbkdf2
  sha256 jwt bearer oauth oauth2 oidc opaque basic apikey api_key yes no tbd todo unset empty
  dummy sample example placeholder changeme random generated auto env environment vault
  secretmanager keychain]]):gmatch("%S+") do
  plain_words[w] = true
end

local placeholders = {
  [[^\$?\{\{?[^{}]*\}?\}]], [[\$\{[^}]+\}]], [[\{\{[^}]+\}\}]], [[^<[^<>]+>$]],
  [[^%\w+%$]], [[^\$\(?\w+\)?$]], [[^\[[\w -]+\]$]], [[^[*xX.•_-]{3,}$]], [[^__\w+__$]],
  [[\b(?:process\.env|os\.environ|import\.meta\.env|ENV\[|[Gg]etenv)]],
  [[^(?:env|environ|secrets?|vars?|data|local|module|config|settings|params?)[.:]\S+$]],
  [[^\(known after apply\)$]],
}

-- "your-api-key", "REPLACE_WITH_REAL_PASSWORD", "put the token here": all of it tells somebody
-- to do something.
local asks, tells = {}, {}
for w in ("your insert enter replace change put add set example placeholder dummy redacted sample")
  :gmatch("%a+") do
  asks[w] = true
end
for w in ([[the this me my with here in own real actual strong secure secret password passwd token
  api access key id db database user username client service value production prod account private
  from before deploy deploying deployment and it text string app application admin root]])
  :gmatch("%a+") do
  tells[w] = true
end

local function is_request(value)
  local first, last, n = nil, nil, 0
  for w in value:lower():gmatch("%a+") do
    if not asks[w] and not tells[w] then return false end
    first, last, n = first or w, w, n + 1
  end
  return n > 0 and not value:find("%d%d") and (asks[first] or last == "here") or false
end

local references = {
  [[^projects/[^/]+/secrets/[^/]+(?:/versions/[^/]+)?$]],
  [[^arn:aws[\w-]*:(?:secretsmanager|ssm|kms):]],
  [[^(?:vault|secret|secrets|op|sm|gsm|gcp|awssm|ssm|kms|keyvault|doppler|sops|bws|file|env)]]
    .. [[(?:[:+]\w+)?:(?://)?\S+$]],
  [[^https://[\w.-]+\.vault\.azure\.net/secrets/\S+$]], [[^@Microsoft\.KeyVault\(]],
  [[^!(?:Ref|Sub|GetAtt|vault|secret)\b]], [[^\{\{resolve:(?:secretsmanager|ssm)]],
  [[^(?:~|\.{1,2})?/(?:[\w.-]+/)*[\w.-]+$]], [[^(?:secretRef|secretKeyRef|valueFrom)\b]],
  [[^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$]],
}

local function compiled(list)
  local out = {}
  for i, pattern in ipairs(list) do
    local given = type(pattern) == "table" and pattern[2] or pattern
    out[i] = assert(regex.compile(given), given)
  end
  return out
end

--- What the patterns need; made once for each use of a check.
---@return table
function secrets.patterns()
  return { shapes = compiled(shapes), placeholders = compiled(placeholders),
    references = compiled(references),
    address = assert(regex.compile([[\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/@:"'<>]*:([^\s/@"']+)@]])),
    pair = assert(regex.compile([[(?:^|;)\s*(?:[Pp]assword|PASSWORD|[Pp]wd|PWD]]
      .. [[|[Aa]ccount[Kk]ey|[Ss]hared[Aa]ccess[Kk]ey)]] .. [[\s*=\s*([^;]+)]])) }
end

local function any(list, text)
  for _, re in ipairs(list) do
    if re:match(text) then return true end
  end
  return false
end

local function words_of(name)
  local out = {}
  local text = name:gsub("(%l)(%u)", "%1 %2"):gsub("(%u)(%u%l)", "%1 %2")
  for w in text:lower():gmatch("%a+") do out[#out + 1] = w end
  return out
end

--- Does a field of this name hold a secret? dbPassword does, password_policy does not.
---@param name string
---@return boolean
function secrets.is_named(name)
  local w = words_of(name)
  local last = w[#w]
  if last == "key" or last == "keys" then return before_key[w[#w - 1] or ""] == true end
  return last ~= nil and (last_words[last] == true
    or last_words[last:gsub("s$", "")] == true and last ~= "tokens" and last ~= "secrets")
end

--- Does the value stand for a secret that comes from elsewhere?
---@param p table from secrets.patterns
---@param value string
---@return boolean
function secrets.is_placeholder(p, value)
  return #value <= 256 and (plain_words[value:lower()] == true or is_request(value)
    or any(p.placeholders, value))
end

--- Is it the name of a secret in a store, in a file or in the environment?
---@param p table
---@param value string
---@return boolean
function secrets.is_reference(p, value) return any(p.references, value) end

--- The credential of a known shape that a text holds, in words.
---@param p table
---@param text string
---@return string?
function secrets.shape_in(p, text)
  for i, re in ipairs(p.shapes) do
    local from, to = re:find(text)
    if from then
      local found = text:sub(from, to)
      if not found:find("EXAMPLE", 1, true) and not found:find("(%w)%1%1%1%1%1%1%1") then
        return shapes[i][1]
      end
    end
  end
end

--- Does a connection string or an address carry a password?
---@param p table
---@param text string
---@return boolean
function secrets.password_in(p, text)
  for _, re in ipairs({ p.address, p.pair }) do
    local at = 1
    while true do
      local from, to, found = re:find(text, at)
      if not from then break end
      if not secrets.is_placeholder(p, found) then return true end
      at = to + 1
    end
  end
  return false
end

-- Ten letters and digits mixed, or a long run of anything: "color-primary-500" is none.
local function looks_random(value)
  for run in value:gmatch("%w+") do
    if #run >= 10 and run:find("%d") and run:find("%a") or #run >= 24 then return true end
  end
  return false
end

--- Is a value under a secret's name written out? Prose of three words and more, what is
--- short, and what stands for something else is not; under a name that ends in "token" (a
--- design token, a token type) it must look like one, too.
---@param p table
---@param name string
---@param value string
---@return boolean
function secrets.is_literal(p, name, value)
  if #value < 4 or value:find("^%s*$") or select(2, value:gsub("%s+", "")) >= 2 then
    return false
  end
  local low = name:lower()
  if (low:find("token$") or low:find("credentials?$")) and not looks_random(value) then
    return false
  end
  return not secrets.is_placeholder(p, value) and not secrets.is_reference(p, value)
end

return secrets
