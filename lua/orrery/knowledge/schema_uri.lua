-- URIs as schemas use them (RFC 3986): references against a base, fragments, and the names
-- by which files are known: file://root/a.json lies in the root, file:///a.json anywhere.
-- Dots cannot climb out of a root that is an authority.
local uri = {}

local function parse(s)
  local rest, fragment = s:match("^([^#]*)#?(.*)$")
  local scheme, after = rest:match("^(%a[%w+.-]*):(.*)$")
  rest = after or rest
  local path, query = rest:match("^([^?]*)(%??.*)$")
  local authority, tail = path:match("^//([^/]*)(.*)$")
  return { scheme = scheme, authority = authority, path = tail or path, query = query,
    fragment = fragment }
end

local function without_dots(path)
  local out = {}
  local absolute = path:sub(1, 1) == "/"
  local trailing = path:find("/%.?%.?$") ~= nil
  for piece in path:gmatch("[^/]+") do
    if piece == ".." then
      out[#out] = nil
    elseif piece ~= "." then
      out[#out + 1] = piece
    end
  end
  local s = (absolute and "/" or "") .. table.concat(out, "/")
  return trailing and s:sub(-1) ~= "/" and s .. "/" or s
end

local function text(u)
  return (u.scheme and u.scheme .. ":" or "") .. (u.authority and "//" .. u.authority or "")
    .. u.path .. u.query
end

--- What a reference means where it stands: the absolute URI and its fragment.
--- uri.resolve("http://x/a/b.json", "c.json#/d") --> "http://x/a/c.json", "/d"
---@param base string
---@param ref string
---@return string uri without fragment
---@return string fragment as written, "" when there is none
function uri.resolve(base, ref)
  if ref == "" then return base, "" end
  if ref:sub(1, 1) == "#" then return base, ref:sub(2) end
  local r = parse(ref)
  if r.scheme then
    if r.authority then r.path = without_dots(r.path) end
    return text(r), r.fragment
  end
  local b = parse(base)
  r.scheme = b.scheme
  if r.authority then
    r.path = without_dots(r.path)
    return text(r), r.fragment
  end
  r.authority = b.authority
  if r.path == "" then
    r.path = b.path
    if r.query == "" then r.query = b.query end
  else
    if r.path:sub(1, 1) ~= "/" then
      local dir = b.path:match("^(.*/)") or (b.authority and "/" or "")
      r.path = dir .. r.path
    end
    r.path = without_dots(r.path)
  end
  return text(r), r.fragment
end

--- %41 → A.
---@param s string
---@return string
function uri.decode(s)
  return (s:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function encode(path)
  return (path:gsub("[%%#? ]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- The name of a file. uri.of_file("schemas/a.json") --> "file://root/schemas/a.json"
---@param path string relative to the root, or absolute
---@return string
function uri.of_file(path)
  path = encode(path)
  return path:sub(1, 1) == "/" and "file://" .. path
    or "file://root" .. without_dots("/" .. path)
end

--- The path of such a name, relative to the root or absolute; nil for other URIs.
---@param s string
---@return string?
function uri.to_file(s)
  local path = s:match("^file://root/(.*)$") or s:match("^file://(/.*)$")
  return path and uri.decode(path)
end

--- The steps of a JSON pointer; nil when it is none. uri.pointer("/a~1b/0") --> { "a/b", "0" }
---@param fragment string percent-decoded
---@return string[]?
function uri.pointer(fragment)
  if fragment ~= "" and fragment:sub(1, 1) ~= "/" then return nil end
  local out = {}
  for piece in fragment:gmatch("/([^/]*)") do
    out[#out + 1] = piece:gsub("~1", "/"):gsub("~0", "~")
  end
  return out
end

--- One step of a JSON pointer, escaped.
---@param key any
---@return string
function uri.escape(key)
  local s = tostring(key)
  if s:find("[~/]") then s = s:gsub("~", "~0"):gsub("/", "~1") end
  return s
end

return uri
