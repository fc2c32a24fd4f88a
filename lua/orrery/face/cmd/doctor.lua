-- orrery doctor: is all in order here? Looks, changes nothing.
local config = require("orrery.model.config")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local load = require("orrery.model.load")
local proc = require("orrery.core.proc")
local runs = require("orrery.run.records.runs")
local state = require("orrery.run.records.state")
local sys = require("orrery.core.sys")
local term = require("orrery.core.term")
local words = require("orrery.face.words")

local doctor = {}

doctor.usage = "orrery doctor"
doctor.about = [[
Looks at this directory, its configuration, its state and the machine, and says what is not
in order. Exit 1 when something is bad.]]
doctor.flags = { "json" }
doctor.examples = { { "orrery doctor", "before asking for help" } }

local checks = {}

checks[#checks + 1] = function(say)
  say("ok", "orrery", ("%s, %s, Lua 5.4, %s"):format(sys.version,
    fs.readlink("/proc/self/exe") or "?", words.count(sys.cpus(), "processor")))
  local lua_dir = os.getenv("ORRERY_LUA_DIR")
  if lua_dir and lua_dir ~= "" then say("note", "lua", "runs from ORRERY_LUA_DIR " .. lua_dir) end
end

local function git_state(root, say)
  if not fs.stat(root .. "/.git") then return say("note", "git", "not a git repository") end
  local ok, repo, why = pcall(require("orrery.core.git").open, root)
  if ok and repo then
    say("ok", "git", ("%s at %s"):format(repo:root() or "bare", (repo:head() or "no commit")
      :sub(1, 12)))
    repo:close()
  else
    say("note", "git", errors.text(ok and why or repo) .. "; the git program is used instead")
    if not proc.which("git") then say("bad", "git", "and there is no git program on PATH") end
  end
end

checks[#checks + 1] = function(say, here)
  local root = config.root(sys.cwd())
  here.root = root
  local ok, conf = pcall(config.load, root)
  here.config = ok and conf or nil
  say("ok", "root", root)
  if not ok then
    say("bad", "orrery.lua", errors.text(conf))
  elseif fs.stat(root .. "/orrery.lua") then
    say("ok", "orrery.lua", conf.default and "default is " .. conf.default or "no default")
  end
  git_state(root, say)
end

checks[#checks + 1] = function(say, here)
  local list, broken = load.list(here.root, here.config), {}
  for _, w in ipairs(list) do
    if w.error then broken[#broken + 1] = w.name end
  end
  if #list == 0 then
    say("note", "workflows", "none; orrery init writes a first one")
  elseif #broken > 0 then
    say("bad", "workflows", ("%d, of which these cannot be loaded: %s (orrery check)"):format(
      #list, table.concat(broken, ", ")))
  else
    say("ok", "workflows", words.count(#list, "workflow"))
  end
end

checks[#checks + 1] = function(say, here)
  local dir = here.root .. "/.orrery"
  if not fs.stat(dir) then return say("ok", "state", "nothing ran here yet") end
  if not fs.stat(dir .. "/.gitignore") then
    say("note", "state", ".orrery/.gitignore is missing; the next run writes it")
  end
  say("ok", "runs", words.count(#runs.ids(here.root), "run") .. " kept")
end

checks[#checks + 1] = function(say, here)
  local dir = state.cache_dir(here.root, sys.environ(), here.config)
  if not fs.stat(dir) then return say("ok", "cache", dir .. ", still empty") end
  local store, why = state.store(dir, here.config)
  if not store then return say("bad", "cache", why) end
  local s = store:stats()
  store:close()
  say("ok", "cache", ("%s: %s, %s"):format(dir, words.count(s.records, "record"),
    words.bytes(s.bytes)))
end

checks[#checks + 1] = function(say)
  for _, name in ipairs({ "sh", "curl" }) do
    local path = proc.which(name)
    if path then
      say("ok", name, path)
    else
      say(name == "sh" and "bad" or "note", name, name == "sh" and "not on PATH"
        or "not on PATH; agents over HTTP need it")
    end
  end
  say("ok", "terminal", term.is_tty(1) and ("%s, %dx%d"):format(os.getenv("TERM") or "?",
    term.size(1)) or "none")
end

--- Prints what it finds.
---@param c table the invocation
---@return integer
function doctor.main(c)
  local found, here = {}, {}
  local function say(level, what, text)
    found[#found + 1] = { level = level, what = what, text = text }
  end
  for _, check in ipairs(checks) do check(say, here) end
  return require("orrery.face.findings").print(c, found)
end

return doctor
