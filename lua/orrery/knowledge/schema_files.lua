-- Where the other documents of a schema are: files in its root or its directory, found by
-- path or by the $id they carry. Nothing is fetched from a network. What was read is noted
-- with its digest, so that a kept validator can tell whether it still holds.
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local json = require("orrery.core.json")
local uri = require("orrery.knowledge.schema_uri")

local files = {}

---@class orrery.SchemaFiles
---@field root string
---@field dir? string relative to the root, or absolute
---@field deep boolean the files below dir count, too
---@field base? string the URI by which dir is known
---@field digests table<string, string> path → SHA-256 of each file read
local Files = {}
Files.__index = Files

local function dirname(path) return path:match("^(.*)/[^/]*$") or "." end

--- dir: by default where the schema's own file is, without what is below it.
---@param opts { root: string, dir?: string, base?: string }
---@param path? string the schema's own file
---@return orrery.SchemaFiles
function files.new(opts, path)
  local base = opts.base
  if base and base:sub(-1) ~= "/" then base = base .. "/" end
  return setmetatable({ root = opts.root, dir = opts.dir or path and dirname(path),
    deep = opts.dir ~= nil, base = base, digests = {} }, Files)
end

--- Decodes a schema's text. Of equal keys the last counts, as everywhere else: schemas with
--- some are about. The third result says so.
---@param text string
---@param path string
---@return any value nil: err says why
---@return orrery.Err? err
---@return string? remark
function files.parse(text, path)
  local value, err = json.decode(text, { name = path, max_depth = 1000 })
  if value ~= nil or not err.message:find(": duplicate key ", 1, true) then return value, err end
  local remark = err.message .. "; the last one counts"
  value, err = json.decode(text, { name = path, max_depth = 1000, last_wins = true })
  return value, err, remark
end

local function under(dir, path)
  return dir and dir:sub(1, 1) == "/" and path:sub(1, #dir + 1) == dir .. "/"
end

--- Where a path is on disk.
---@param path string relative to the root, or absolute
---@return string
function Files:at(path)
  if path:sub(1, 1) == "/" or self.root == "." then return path end
  return self.root .. "/" .. path
end

--- Reads one, noted.
---@param path string
---@return string? text
---@return orrery.Err? err
function Files:text(path)
  local text, err = fs.read(self:at(path))
  if not text then return nil, err end
  self.digests[path] = hash.sha256(text)
  return text
end

--- Reads and decodes one, noted.
---@param path string
---@return any value nil: err says why
---@return orrery.Err? err
function Files:decode(path)
  local text, err = self:text(path)
  if not text then return nil, err end
  return files.parse(text, path)
end

--- The name by which a file of ours is known.
---@param path string
---@return string
function Files:address(path)
  local dir = self.dir
  if self.base and dir and path:sub(1, #dir + 1) == dir .. "/" then
    return self.base .. path:sub(#dir + 2)
  end
  return uri.of_file(path)
end

-- The file an address names, if it is one we may read.
local function named(self, address)
  if self.base and address:sub(1, #self.base) == self.base then
    return self.dir .. "/" .. uri.decode(address:sub(#self.base + 1))
  end
  local path = uri.to_file(address)
  if not path or path:sub(1, 1) ~= "/" then return path end
  return (under(self.dir, path) or under(self.root, path)) and path or nil
end

-- Files keep the distance that their ids have: with $id http://x/s/a.json in s/a.json,
-- http://x/s/b.json is s/b.json, unless that one says it is another.
local function beside(self, address, documents)
  for _, doc in ipairs(documents) do
    local near = doc.path and doc.uri:match("^(.*/)")
    if near and address:sub(1, #near) == near then
      local path = dirname(doc.path) .. "/" .. uri.decode(address:sub(#near + 1))
      path = path:gsub("^%./", "")
      if fs.stat(self:at(path)) then
        local value = self:decode(path)
        local id = type(value) == "table" and (value["$id"] or value.id)
        if value ~= nil and (type(id) ~= "string" or uri.resolve(address, id) == address) then
          return path, value
        end
      end
    end
  end
end

local function candidates(self)
  if not self.dir then return {} end
  local dir = self:at(self.dir)
  return fs.glob(self.deep and "**/*.json" or "*.json", { root = dir, ignore = false }) or {}
end

-- Looks through the directory for the $id.
local function carrying(self, address)
  local last = address:match("[^/]*$")
  for _, name in ipairs(candidates(self)) do
    local path = self.dir == "." and name or self.dir .. "/" .. name
    local text = fs.read(self:at(path))
    if text and text:find(last, 1, true) then
      local value = files.parse(text, path)
      local id = type(value) == "table" and (value["$id"] or value.id)
      if type(id) == "string" and uri.resolve(uri.of_file(path), id) == address then
        self.digests[path] = hash.sha256(text)
        return path, value
      end
    end
  end
end

--- The document of an address. Nothing there: nil and the reason for people.
---@param address string
---@param documents { path?: string, uri: string }[] those known so far
---@return string? path
---@return any value
---@return string? why
function Files:find(address, documents)
  local path = named(self, address)
  if path then
    local value, err = self:decode(path)
    if value ~= nil then return path, value end
    return nil, nil, err.message
  end
  if address:find("^file:") then
    return nil, nil, "it is outside the root and the schema's directory"
  end
  local there, value = beside(self, address, documents)
  if not there then there, value = carrying(self, address) end
  if there then return there, value end
  return nil, nil, ("no file%s has this $id, and nothing is fetched from the network"):format(
    self.dir and " in " .. self.dir or "")
end

return files
