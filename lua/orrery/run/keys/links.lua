-- Symlinks among the files a run looks at: where they lead counts, and what is there.
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")

local links = {}

local MOST = 40

--- Follows a path, link by link, so that the index is asked for each of them and for what
--- they lead to.
---@param index core.Index
---@param path string absolute
---@return string? digest of the file at the end; nil: there is none
---@return core.FileFact|orrery.Err fact
---@return string[] trail the digests of the links on the way
---@return string last the path at the end
function links.follow(index, path)
  local trail = {}
  for _ = 1, MOST do
    local d, fact = index:digest(path)
    if not d or fact.kind ~= "link" then return d, fact, trail, path end
    trail[#trail + 1] = d
    local to = fs.readlink(path)
    if not to then break end
    path = to:sub(1, 1) == "/" and to or path:match("^(.*)/") .. "/" .. to
  end
  return nil, { code = "ELOOP", message = path .. ": too many links" }, trail, path
end

--- What an input counts as when it is a symlink: where it leads, and the contents there.
---@param index core.Index
---@param path string absolute, of a symlink
---@return string digest
---@return integer? mode of the file it leads to
function links.fact(index, path)
  local d, fact, trail = links.follow(index, path)
  trail[#trail + 1] = d or fact.code
  return hash.sha256(table.concat(trail, "\n")), d and fact.mode
end

return links
