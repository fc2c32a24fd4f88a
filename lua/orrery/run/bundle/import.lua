-- Importing a run: all of it is read and looked at beside the runs before anything is where
-- it would count, so that a file that is damaged, or means harm, changes nothing.
local bundle = require("orrery.run.bundle")
local errors = require("orrery.kernel.errors")
local export = require("orrery.run.bundle.export")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local journal = require("orrery.run.records.journal")
local json = require("orrery.core.json")
local runs = require("orrery.run.records.runs")
local sorted = require("orrery.kernel.sorted")
local sys = require("orrery.core.sys")

local import = {}

local function refuse(self, why)
  errors.raise("state", ("%s: %s"):format(self.path, why), { exit = 5 })
end

local PLAIN = { ["journal.jsonl"] = true, ["decisions.jsonl"] = true, ["finished.jsonl"] = true,
  ["registry.json"] = true }

-- May a run have such a file?
local function is_ours(rel, digest)
  if PLAIN[rel] or rel:find("^logs/%d+$") then return true end
  if rel == "files/" .. digest then return true end
  return rel:find("^artifacts/[^%c]+$") ~= nil and fs.inside(rel) and fs.normal(rel) == rel
end

local function check_manifest(self, m)
  if type(m) ~= "table" or m.format ~= export.FORMAT then refuse(self, "it is no exported run") end
  if m.v ~= export.VERSION then
    refuse(self, ("it is of the format %s; this version reads %d"):format(tostring(m.v),
      export.VERSION))
  end
  if type(m.runs) ~= "table" or #m.runs == 0 then refuse(self, "it is damaged: it has no run") end
  for _, r in ipairs(m.runs) do
    if type(r) ~= "table" or type(r.id) ~= "string" or not r.id:find("^%w+%-%x+$") then
      refuse(self, "it is damaged: a run without an id")
    end
    for rel, file in sorted.pairs(type(r.files) == "table" and r.files or {}) do
      local digest = type(file) == "table" and file.digest
      if type(digest) ~= "string" or not digest:find("^%x+$") or #digest ~= 64
        or not is_ours(rel, digest) then
        refuse(self, ("it has a file '%s', which no run has"):format((rel:gsub("%c", "?"))))
      end
      if not fs.stat(self.dir .. "/blobs/" .. digest) then
        refuse(self, ("it is damaged: %s is missing"):format(rel))
      end
    end
  end
end

-- A path that a step may have written: in the root, not git's, of ours only the run's own.
local function is_output(path, id)
  if type(path) ~= "string" or not fs.inside(path) or fs.normal(path) ~= path then return false end
  local first = path:match("^[^/]+")
  if first == ".git" then return false end
  return first ~= ".orrery" or path:sub(1, #id + 24) == ".orrery/runs/" .. id .. "/artifacts/"
end

local function leads_inside(path, link)
  local dir = path:match("^(.*/)") or ""
  return type(link) == "string" and link:sub(1, 1) ~= "/" and fs.inside(dir .. link)
end

local function check_event(self, ev, id)
  for _, name in ipairs({ "stdout_log", "stderr_log" }) do
    local log = ev[name]
    if log ~= nil and not (type(log) == "string" and log:find("^logs/%d+$")) then
      refuse(self, "its journal names a log elsewhere")
    end
  end
  for _, o in ipairs(type(ev.outputs) == "table" and ev.outputs or {}) do
    local path = type(o) == "table" and o.path
    if not is_output(path, id) or (o.link ~= nil and not leads_inside(path, o.link)) then
      refuse(self, ("its journal has an output outside the root: %s"):format(
        (tostring(path):gsub("%c", "?"))))
    end
  end
end

local function check_journal(self, dir, id)
  local events = journal.read(dir .. "/journal.jsonl")
  local first = events and events[1]
  if not first or first.ev ~= "run_started" or first.run ~= id then
    refuse(self, ("it is damaged: the journal of run %s is not its own"):format(id))
  end
  for _, list in ipairs({ events, journal.read(dir .. "/finished.jsonl") or {} }) do
    for _, ev in ipairs(list) do check_event(self, ev, id) end
  end
end

local function must(self, ok, why)
  if not ok then refuse(self, "it cannot be imported: " .. errors.text(why)) end
end

-- Lays the files of a run out, still beside the others.
local function lay_out(self, r)
  local dir = self.dir .. "/runs/" .. r.id
  must(self, fs.mkdir(dir))
  for rel, file in sorted.pairs(r.files) do
    local to = dir .. "/" .. rel
    must(self, fs.mkdir(to:match("^(.*)/")))
    must(self, fs.copy(self.dir .. "/blobs/" .. file.digest, to))
  end
  check_journal(self, dir, r.id)
end

-- Runs that are here already must be the same ones.
local function is_here(self, root, r)
  local dir = runs.dir(root) .. "/" .. r.id
  if not fs.lstat(dir) then return false end
  if hash.file(dir .. "/journal.jsonl") == r.files["journal.jsonl"].digest then return true end
  refuse(self, ("run %s is here already, and is another"):format(r.id))
end

local function take_in(self, root, path)
  must(self, fs.mkdir(self.dir .. "/blobs"))
  local m = json.decode(bundle.read(path, self.dir .. "/blobs"))
  check_manifest(self, m)
  local new = {}
  for _, r in ipairs(m.runs) do
    lay_out(self, r)
    if not is_here(self, root, r) then table.insert(new, 1, r) end -- the oldest first
  end
  must(self, fs.mkdir(runs.dir(root)))
  for _, r in ipairs(new) do
    must(self, fs.rename(self.dir .. "/runs/" .. r.id, runs.dir(root) .. "/" .. r.id))
  end
  return m.runs[1].id
end

--- Takes a run in that export wrote. Raises code "state" for a file that is damaged, of
--- another format, or means harm; then nothing has changed.
---@param root string whose state is prepared
---@param path string
---@return string id
function import.read(root, path)
  local self = { path = path, dir = ("%s/.orrery/import-%s"):format(root, sys.random(4)) }
  local _ <close> = setmetatable({}, { __close = function() fs.remove_tree(self.dir) end })
  return take_in(self, root, path)
end

return import
