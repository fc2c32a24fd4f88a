-- The security checks: on the strings of JSON artifacts, and on the lines of all others. A
-- complaint says where a secret is and what it is like, never what it is.
local secrets = require("orrery.knowledge.checks.secrets")
local sorted = require("orrery.kernel.sorted")
local walk = require("orrery.knowledge.checks.walk")

local security = {}

local function complain(list, artifact, at, text)
  list[#list + 1] = ("%s%s%s: %s"):format(artifact.name, at:find("^%d") and ":" or
    at ~= "" and "#" or "", at, text)
end

-- In longer lines, which nobody wrote by hand, only the beginning may assign.
local MAX_LINE = 2000

-- name = value and name: value as programs, shells and settings write them.
local function assigned(line)
  line = line:sub(1, MAX_LINE)
  if not line:find("[:=]") then return nil end
  local name, value = line:match("([%w_%.%-]+)[\"']?%s*[:=]%s*[\"'`]([^\"'`]*)[\"'`]")
  if name then return name, value end
  name, value = line:match("^%s*%-?%s*([%w_%.%-]+)%s*[:=]%s*([^%s\"'`,;#]+)%s*[,;]?%s*$")
  if name then return name, value end
  return line:match("^%s*export%s+([%w_]+)=([^%s\"']+)%s*$")
end

-- A call or an expression is not a value.
local function is_code(value) return value:find("[%(%)%[%]{}|&+]") ~= nil end

local LITERAL = "a literal value for '%s' (%d characters)"

local function in_string(p, list, artifact, text, key, at)
  local shape = secrets.shape_in(p, text)
  if shape then return complain(list, artifact, at, shape) end
  if secrets.password_in(p, text) then
    return complain(list, artifact, at, "an address with a password in it")
  end
  if key and secrets.is_named(key) and secrets.is_literal(p, key, text) then
    complain(list, artifact, at, LITERAL:format(key, #text))
  end
end

local function in_line(p, list, artifact, line, n)
  local at = tostring(n)
  local shape = secrets.shape_in(p, line)
  if shape then return complain(list, artifact, at, shape) end
  if secrets.password_in(p, line) then
    return complain(list, artifact, at, "an address with a password in it")
  end
  local name, value = assigned(line)
  if name and secrets.is_named(name) and not is_code(value)
    and secrets.is_literal(p, name, value) then
    complain(list, artifact, at, LITERAL:format(name, #value))
  end
end

--- No password, key or token is written out: neither by its shape, nor in an address, nor
--- under a name that says it is one. Placeholders, references and prose are let through.
---@param it orrery.CheckInput
---@return string[] complaints
function security.no_hardcoded_secrets(it)
  local list, p = {}, secrets.patterns()
  for _, artifact in ipairs(it.artifacts) do
    if artifact.value ~= nil then
      walk.strings(artifact.value, function(text, key, at)
        in_string(p, list, artifact, text, key, at)
      end)
    else
      walk.lines(artifact.text, function(line, n) in_line(p, list, artifact, line, n) end)
    end
  end
  return list
end

local function is_given(p, text)
  return text ~= "" and (secrets.is_reference(p, text) or secrets.is_placeholder(p, text))
end

local function check_reference(p, list, artifact, one, at)
  if type(one) ~= "table" then
    return complain(list, artifact, at, "expected an object with secret_id")
  end
  if type(one.secret_id) ~= "string" or not is_given(p, one.secret_id) then
    complain(list, artifact, at, "secret_id is no reference to a secret store")
  end
  if type(one.environment_variable) ~= "string" or one.environment_variable == "" then
    complain(list, artifact, at, "environment_variable is missing")
  end
end

local function is_reference_name(key)
  local low = key:lower()
  return low:find("secret_ref$") or low:find("secret_id$") or low:find("secretref$")
    or low:find("secretid$")
end

--- Whatever is named as a secret is a reference to a store or a placeholder, and each entry of
--- secret_references says which secret and which variable.
---@param it orrery.CheckInput
---@return string[]
function security.all_secrets_use_references(it)
  local list, p = {}, secrets.patterns()
  for _, artifact in ipairs(it.artifacts) do
    walk.strings(artifact.value, function(text, key, at)
      if key and (secrets.is_named(key) or is_reference_name(key)) and not is_given(p, text)
        and not at:find("/secret_references/", 1, true) then
        complain(list, artifact, at, text == "" and ("'%s' is empty"):format(key)
          or ("'%s' is no reference to a secret"):format(key))
      end
    end)
    walk.named(artifact.value, "secret_references", function(found, at)
      for k, one in sorted.pairs(type(found) == "table" and found or {}) do
        check_reference(p, list, artifact, one, ("%s/%s"):format(at, k))
      end
    end)
  end
  return list
end

--- No connection string, in whatever field or line, has a password in it.
---@param it orrery.CheckInput
---@return string[]
function security.connection_strings_use_placeholders(it)
  local list, p = {}, secrets.patterns()
  local function look(artifact, text, at)
    if secrets.password_in(p, text) then
      complain(list, artifact, at, "a connection string with a password; write {DB_PASSWORD}")
    end
  end
  for _, artifact in ipairs(it.artifacts) do
    if artifact.value ~= nil then
      walk.strings(artifact.value, function(text, _, at) look(artifact, text, at) end)
    else
      walk.lines(artifact.text, function(line, n) look(artifact, line, tostring(n)) end)
    end
  end
  return list
end

return security
