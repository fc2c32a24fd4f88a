-- Where a project's cache lies: ORRERY_CACHE_DIR, else `cache.dir` of orrery.lua, else
-- .orrery/cache at the root; and git worktrees share that of the main one.
local fs = require("orrery.core.fs")
local sys = require("orrery.core.sys")

local cachedir = {}

local function absolute(dir, path)
  return fs.normal(fs.at(dir, path))
end

-- The nearest directory upward that git calls its own, and what .git is there.
local function checkout_of(root)
  local at = root
  while true do
    local st = fs.stat((at == "/" and "" or at) .. "/.git")
    if st then return at, st.type end
    if at == "/" then return nil end
    at = at:match("^(.*)/[^/]*$")
    if at == "" then at = "/" end
  end
end

-- Of a linked worktree: where the repository's own checkout is. A submodule has no
-- commondir, a bare repository no checkout.
local function main_checkout(top)
  local to = (fs.read(top .. "/.git") or ""):match("^gitdir: ([^\r\n]+)")
  if not to then return nil end
  local gitdir = absolute(top, to)
  local common = (fs.read(gitdir .. "/commondir") or ""):match("^([^\r\n]+)")
  return common and absolute(gitdir, common):match("^(.+)/%.git$")
end

--- The root whose .orrery holds the cache: of a linked git worktree, the same project in
--- the repository's own checkout, when it is there and may be written.
---@param root string absolute
---@return string
function cachedir.home(root)
  local top, kind = checkout_of(root)
  local main = kind == "file" and main_checkout(top)
  if not main then return root end
  local other = main .. root:sub(#top + 1)
  local st = fs.stat(other)
  if not st or st.type ~= "dir" then return root end
  local state = other .. "/.orrery"
  return fs.access(fs.stat(state) and state or other, "write") and other or root
end

local function expand(path)
  local home = os.getenv("HOME")
  return home and path:sub(1, 2) == "~/" and home .. path:sub(2) or path
end

--- The directory of the cache, absolute.
---@param root string absolute
---@param env table<string, string> of the process
---@param conf? orrery.Config
---@return string
function cachedir.of(root, env, conf)
  local named = env.ORRERY_CACHE_DIR
  if named and named ~= "" then return absolute(sys.cwd(), named) end
  local dir = conf and conf.cache and conf.cache.dir
  if dir then return absolute(root, expand(dir)) end
  return cachedir.home(root) .. "/.orrery/cache"
end

return cachedir
