-- One file of coding rules: front matter as people write it, a title, and the patterns that
-- an audit looks for. Front matter is YAML in name only: `globs: *` is an alias there, and
-- `description: Use: this` a mistake. So it is read line by line, and nothing in it is ever
-- an error; what is odd is told as a remark.
local techs = require("orrery.knowledge.techs")
local yaml = require("orrery.core.yaml")
local errors = require("orrery.kernel.errors")

local rulefile = {}

---@class orrery.Rule
---@field path string        as it was found
---@field name string        without directory and ending; of a README, its directory
---@field title string
---@field description string
---@field globs string[]     normalised for fs.match; empty: chosen by people or technologies
---@field always boolean
---@field techs string[]     sorted
---@field checks orrery.RuleCheck[]
---@field remarks string[]
---@class orrery.RuleCheck
---@field pattern string     as orrery.core.regex means it, ^ and $ at lines
---@field message string
---@field severity "error"|"warning"|"info"
---@field fix string?        $0 … $9 stand for groups
---@field required boolean   the pattern must occur, not: must not

local function unquoted(text)
  text = text:match("^%s*(.*%S)") or ""
  local inner = text:match('^"(.*)"$') or text:match("^'(.*)'$")
  return inner or text
end

-- Splits at commas that are not inside brackets of any kind.
local function split(text)
  local out, depth, from = {}, 0, 1
  for at, c in text:gmatch("()([{}%(%)%[%],])") do
    if c ~= "," then
      depth = math.max(0, depth + (c:find("[{%(%[]") and 1 or -1))
    elseif depth == 0 then
      out[#out + 1] = text:sub(from, at - 1)
      from = at + 1
    end
  end
  out[#out + 1] = text:sub(from)
  return out
end

--- A glob as people write it, for fs.match: "/**/*.(ts|tsx)" is "**/*.{ts,tsx}", a pattern
--- without a slash means any directory.
---@param text string
---@return string?
function rulefile.glob(text)
  local g = unquoted(text):gsub("%(([^()]*|[^()]*)%)", function(inner)
    return "{" .. inner:gsub("|", ",") .. "}"
  end)
  local bang
  bang, g = g:match("^(!?)(.*)$")
  local anchored = g:sub(1, 1) == "/" or g:sub(1, 2) == "./"
  g = g:gsub("^%./+", ""):gsub("^/+", ""):gsub("\\", "/")
  if g == "" then return nil end
  if g:sub(-1) == "/" then g = g .. "**" end
  if not anchored and not g:find("/", 1, true) then g = "**/" .. g end
  return bang .. g
end

local function globs_of(value)
  local out = {}
  if type(value) == "string" then
    local whole = value:match('^%s*"([^"]*)"%s*$') or value:match("^%s*'([^']*)'%s*$")
    value = split(whole or value:match("^%s*%[(.*)%]%s*$") or value)
  end
  for _, item in ipairs(value) do
    for _, one in ipairs(split(unquoted(item))) do
      out[#out + 1] = rulefile.glob(one)
    end
  end
  return out
end

-- Lines of the front matter to key → text or list of texts.
local function fields(head)
  local out, key, more = {}, nil, {}
  local function flush()
    if key and #more > 0 then
      local text, items = table.concat(more, " "), {}
      for _, line in ipairs(more) do items[#items + 1] = line:match("^%s*%-%s+(.*)$") end
      out[key] = #items == #more and items or ((out[key] or "") .. " " .. text)
    end
    more = {}
  end
  for line in (head .. "\n"):gmatch("([^\n]*)\n") do
    local name, value = line:match("^([%w_%-]+)%s*:%s*(.*)$")
    if name then
      flush()
      key, out[name] = name, value:match("^.*%S") or ""
    elseif line:find("%S") and key then
      more[#more + 1] = line
    end
  end
  flush()
  return out
end

-- Head and body; a byte order mark and the line ends of other systems are no difference.
local function parts(text)
  if text:sub(1, 3) == "\239\187\191" then text = text:sub(4) end
  if text:find("\r", 1, true) then text = text:gsub("\r\n?", "\n") end
  local from = text:match("^%-%-%-[ \t]*\n()")
  if not from then return "", text end
  local at = from
  while true do
    local line, next_at = text:match("^([^\n]*)\n?()", at)
    if line:find("^%-%-%-[ \t]*$") then return text:sub(from, at - 1), text:sub(next_at) end
    if next_at > #text then return "", text, "its front matter does not end; add a line ---" end
    at = next_at
  end
end

local severities = { error = "error", critical = "error", high = "error", warning = "warning",
  warn = "warning", medium = "warning", info = "info", low = "info", note = "info" }

local function check_of(item, required, remarks)
  if type(item) == "string" then item = { pattern = item } end
  if type(item) ~= "table" or type(item.pattern) ~= "string" then
    remarks[#remarks + 1] = "a validation pattern without 'pattern' is ignored"
    return nil
  end
  local severity = severities[tostring(item.severity or "warning"):lower()]
  if not severity then
    remarks[#remarks + 1] = ("severity '%s' counts as warning"):format(tostring(item.severity))
  end
  return { pattern = item.pattern, severity = severity or "warning", required = required,
    message = type(item.message) == "string" and item.message or "matches " .. item.pattern,
    fix = type(item.fix) == "string" and item.fix or nil }
end

-- Checks of one block of YAML.
local function checks_of(text, remarks, out)
  local value, err = yaml.decode(text)
  if type(value) == "table" and type(value.validation) == "table" then value = value.validation end
  if type(value) ~= "table" then
    if err then
      remarks[#remarks + 1] = "its validation block is unreadable: " .. errors.text(err)
    end
    return
  end
  for field, required in pairs({ forbidden_patterns = false, required_patterns = true }) do
    for _, item in ipairs(type(value[field]) == "table" and value[field] or {}) do
      out[#out + 1] = check_of(item, required, remarks)
    end
  end
end

local function checks(head, body, remarks)
  local out = {}
  if body:find("<validation>", 1, true) then
    for block in body:gmatch("<validation>%s*\n(.-)\n%s*</validation>") do
      block = block:gsub("^%s*```%w*\n", ""):gsub("\n%s*```%s*$", "")
      checks_of(block, remarks, out)
    end
  elseif head:find("validation", 1, true) then
    local block = ("\n" .. head .. "\n"):match("\n(validation:%s*\n.*)$")
    if block then
      -- Up to the next key at the margin.
      block = (block .. "\n"):match("^(validation:%s*\n.-\n)[%w_%-]+%s*:") or block
      checks_of(block, remarks, out)
    end
  end
  return out
end

local function names_of(path)
  local above, base = path:match("^(.*)/(.*)$")
  base = (base or path):gsub("%.mdx?c?x?$", "")
  if above and #base == 6 and base:lower() == "readme" then
    return above:match("^.*/(.*)$") or above
  end
  return base
end

-- The first heading: what the text begins with, else its first of the first rank.
local function title_of(body)
  local title = body:match("^%s*#+%s+([^\n]+)")
  local at = not title and body:find("\n#", 1, true)
  while at do
    title = body:match("^\n#%s+([^\n]+)", at)
    at = not title and body:find("\n#", at + 1, true)
  end
  return title or ""
end

local function techs_of(path, globs, text)
  local set, out = techs.of_path(path), {}
  for name in pairs(techs.of_text(text)) do set[name] = true end
  for _, g in ipairs(globs) do
    local inner = g:match("%.{([%w,]+)}$") or g:match("%.(%w+)$") or ""
    for ending in inner:gmatch("%w+") do
      -- A glob of many languages says nothing about one.
      if not inner:find(",.*,.*,") and techs.endings[ending] then
        set[techs.endings[ending]] = true
      end
    end
  end
  for name in pairs(set) do out[#out + 1] = name end
  table.sort(out)
  return out
end

--- A rule of its text. Never fails.
---@param path string relative to the rules' directory
---@param text string
---@return orrery.Rule
function rulefile.parse(path, text)
  local remarks = {}
  local head, body, odd = parts(text)
  if odd then remarks[1] = odd end
  local f = fields(head)
  local globs = f.globs and globs_of(f.globs) or {}
  local description = type(f.description) == "string" and unquoted(f.description) or ""
  local title = title_of(body)
  local name = names_of(path)
  return { path = path, name = name, title = title ~= "" and title or name,
    description = description, globs = globs,
    always = f.alwaysApply == "true" or f.always == "true" or f.priority == "always",
    techs = techs_of(path, globs, description .. "\n" .. title),
    checks = checks(head, body, remarks), remarks = remarks }
end

return rulefile
