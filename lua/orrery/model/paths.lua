-- inputs and outputs: from what was written, relative to a step's cwd, to PathSpecs relative
-- to the root. Templates inside a path stay; what they bring is checked when it is known.
local build = require("orrery.model.build")
local sorted = require("orrery.kernel.sorted")

local paths = {}

-- "." and ".." folded; leading ".." stay. Templates count as names.
local function fold(path)
  local out = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." and #out > 0 and out[#out] ~= ".." and not out[#out]:find("{{", 1, true) then
      out[#out] = nil
    elseif part ~= "." then
      out[#out + 1] = part
    end
  end
  return (path:sub(1, 1) == "/" and "/" or "") .. table.concat(out, "/")
end

local SLASH, DOT = ("/."):byte(1, 2)

--- The normal form: no "//", no ".", no "..", where they can be folded; "." for nothing.
---@param path string
---@return string
function paths.normal(path)
  local last = path:byte(-1)
  if last == SLASH or last == DOT or path:find("//", 1, true) or path:find("./", 1, true) then
    path = fold(path)
  end
  return path == "" and "." or path
end

--- A path written in a step with that cwd, relative to the root; absolute stays absolute.
---@param path string
---@param cwd? string normal, relative to the root
---@return string
---@usage paths.join("src/a.c", "web") --> "web/src/a.c"
function paths.join(path, cwd)
  if path:byte(1) == SLASH then
    if path:byte(2) == SLASH then path = path:gsub("^/+", "") end
  elseif cwd and cwd ~= "." then
    path = cwd .. "/" .. path
  end
  return paths.normal(path)
end

--- Does the text hold a glob? Braces of templates are none.
---@param text string
---@return boolean
function paths.is_glob(text)
  if not text:find("[*?%[{]") then return false end
  if text:find("{{", 1, true) then text = text:gsub("{{.-}}", "") end
  return text:find("[*?%[{]") ~= nil
end

--- Does a normal path leave the root: absolute, or up?
---@param path string
---@return boolean
function paths.leaves(path)
  local first = path:byte(1)
  return first == SLASH or first == DOT and (path == ".." or path:sub(1, 3) == "../")
end

--- One PathSpec, or nil and why the text is none.
---@param text any
---@param cwd? string
---@param name? string
---@return orrery.PathSpec?, string?
function paths.spec(text, cwd, name)
  if type(text) ~= "string" then return nil, "a path is text, not a " .. type(text) end
  -- Nothing but a path, as most are; the first pattern is quicker and fits most of those.
  if text:find("^[%w_/.-]+$") or text:find("^[^!%c*?%[{][^%c*?%[{]*$") then
    local spec = { path = paths.join(text, cwd) }
    if name then spec.name = name end
    if text:byte(-1) == SLASH then spec.dir = true end
    return spec
  end
  local exclude = text:sub(1, 1) == "!"
  if exclude then text = text:sub(2) end
  if text == "" then return nil, "a path is empty" end
  if text:find("%c") then return nil, "a path contains a control character" end
  return { path = paths.join(text, cwd), name = name, exclude = exclude or nil,
    glob = paths.is_glob(text) or nil, dir = text:byte(-1) == SLASH or nil }
end

local none = {}

-- The usual case, at a price that thousands of steps can pay.
local function plain_list(value, cwd, problem)
  local specs = {}
  for _, text in ipairs(value) do
    local spec, why = paths.spec(text, cwd)
    if spec then specs[#specs + 1] = spec else problem(why) end
  end
  return specs, none
end

local function named_text(v)
  return type(v) == "string" or (type(v) == "table" and not build.is(v))
end

--- The PathSpecs of a list (or one text) of paths, some by name: positional ones first.
---@param value string|table
---@param cwd? string
---@param problem fun(text: string)
---@return orrery.PathSpec[], table<string, integer[]>
function paths.list(value, cwd, problem)
  if type(value) == "table" and build.is_plain(value) then
    return plain_list(value, cwd, problem)
  end
  local specs, names = {}, {}
  local function add(text, name)
    local spec, why = paths.spec(text, cwd, name)
    if not spec then return problem(why) end
    specs[#specs + 1] = spec
    if name then
      names[name] = names[name] or {}
      table.insert(names[name], #specs)
    end
  end
  if type(value) == "string" then
    add(value)
    return specs, names
  end
  local positional, named = {}, {}
  for k, v in next, value do
    if math.type(k) == "integer" then positional[k] = v else named[k] = v end
  end
  build.flatten(positional, add)
  for k, v in sorted.pairs(named) do
    if type(k) ~= "string" or not named_text(v) then
      problem(("'%s' must be a path or a list of paths"):format(tostring(k)))
    else
      build.flatten({ v }, function(text) add(text, k) end)
    end
  end
  return specs, names
end

--- Why a path cannot be an input, or nil.
---@param spec orrery.PathSpec
---@return string?
function paths.bad_input(spec)
  if spec.glob and paths.leaves(spec.path) then
    return ("'%s' is a glob outside the root; inputs outside it are named one by one")
      :format(spec.path)
  end
end

--- Why a path cannot be an output, or nil. The same holds for a rendered path.
---@param spec orrery.PathSpec
---@return string?
function paths.bad_output(spec)
  local path = spec.path
  if path:sub(1, 1) == "/" then
    return ("output '%s' is absolute; outputs are inside the root"):format(path)
  elseif paths.leaves(path) then
    return ("output '%s' leaves the root; outputs are inside it"):format(path)
  elseif path == "." then
    return "the root itself cannot be an output"
  end
  local top = path:match("^[^/]+")
  if top == ".git" or top == ".orrery" then
    return ("output '%s' is inside %s, which no step may write"):format(path, top)
  end
end

return paths
