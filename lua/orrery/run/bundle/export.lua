-- Exporting a run: its journal and those of the runs it went on with, logs, artifacts, what
-- was decided, and all that its finished calls rest on, so that another machine can go on
-- without making one of them again. Secrets are in none of these: they are masked before.
local artifacts = require("orrery.run.keys.artifacts")
local bundle = require("orrery.run.bundle")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local journal = require("orrery.run.records.journal")
local json = require("orrery.core.json")
local key = require("orrery.run.keys.key")
local last = require("orrery.run.memo.last")
local memo = require("orrery.run.memo")
local pack = require("orrery.core.pack")
local resume = require("orrery.run.records.resume")
local runs = require("orrery.run.records.runs")
local sys = require("orrery.core.sys")

local export = {}

--- What is in a manifest, and its version.
export.FORMAT, export.VERSION = "orrery-run", 1

-- The files of a run's directory that go along.
local KEPT = { "journal.jsonl", "decisions.jsonl", "finished.jsonl", "registry.json", "logs/**",
  "artifacts/**", "files/**" }

local function add_blob(self, digest, blob)
  if self.known[digest] then return end
  self.known[digest] = true
  blob.digest = digest
  self.blobs[#self.blobs + 1] = blob
end

local function add_file(self, entry, rel, path)
  local digest, size = hash.file(path)
  if not digest then return false end
  add_blob(self, digest, { path = path, size = size })
  entry.files[rel] = { digest = digest, size = size }
  return true
end

local function add_text(self, entry, rel, text)
  local digest = hash.sha256(text)
  add_blob(self, digest, { bytes = text, size = #text })
  entry.files[rel] = { digest = digest, size = #text }
end

-- The bytes of an output: from where it lies, what an import brought, or the cache.
local function add_output(self, entry, old, o)
  local rel = o.digest and "files/" .. o.digest
  if not rel or entry.files[rel] or artifacts.holds(o.path) then return end
  for _, path in ipairs({ self.root .. "/" .. o.path, old.dir .. "/" .. rel }) do
    if hash.file(path) == o.digest then return add_file(self, entry, rel, path) end
  end
  local bytes = self.store and self.store:get_blob(o.digest)
  if bytes then return add_text(self, entry, rel, bytes) end
  self.lost[#self.lost + 1] = o.path
end

-- A step that was restored or found in place, as if it had just ended: from its record.
local function finished_of(self, old, id, full, ev)
  local bytes = self.store and self.store:get("memo", full)
  local record = bytes and pack.decode(bytes)
  if type(record) ~= "table" or (record.root and record.root ~= self.root) then return nil end
  for _, o in ipairs(record.outputs or {}) do o.path = artifacts.here(old.id, o.path) end
  local run = { store = self.store }
  return { ev = "step_finished", id = id, kind = ev and ev.kind, status = "ok",
    key = key.of(record.manifest), occurrence = ev and ev.occurrence, exit = record.exit,
    value = record.value, stdout = memo.text(run, record, "stdout"),
    stderr = memo.text(run, record, "stderr"), outputs = record.outputs, digest = record.digest,
    set = record.set, set_key = full, seconds = 0, attempts = 1 }
end

-- What the journal alone does not tell: clean steps, and what functions read.
local function lines_of(self, old)
  local out = {}
  local function add(id, full, ev)
    local e = full and finished_of(self, old, id, full, ev)
    if e and (e.set or not ev) then out[#out + 1] = e end
  end
  for _, ev in ipairs(old.events) do
    if ev.ev == "hits" then
      for _, id in ipairs(ev.ids) do
        add(id, ev.keys and ev.keys[id] or last.full(self.index, old.workflow, id))
      end
    elseif ev.ev == "step_finished" and ev.status == "ok" and ev.full and not ev.set then
      add(ev.id, ev.full, ev)
    end
  end
  return out
end

local function add_run(self, old)
  local entry = { id = old.id, files = {} }
  for _, rel in ipairs(fs.glob(KEPT, { root = old.dir, ignore = false, hidden = true }) or {}) do
    local st = fs.lstat(old.dir .. "/" .. rel)
    if st and st.type == "file" then add_file(self, entry, rel, old.dir .. "/" .. rel) end
  end
  local lines, texts = lines_of(self, old), {}
  for _, list in ipairs({ old.events, lines }) do
    for _, ev in ipairs(list) do
      for _, o in ipairs((ev.ev == "step_finished" and ev.status == "ok"
        or ev.ev == "approval_asked") and ev.outputs or {}) do
        add_output(self, entry, old, o)
      end
    end
  end
  for i, ev in ipairs(lines) do texts[i] = journal.encode(ev) .. "\n" end
  if #texts > 0 and not entry.files["finished.jsonl"] then
    add_text(self, entry, "finished.jsonl", table.concat(texts))
  end
  self.runs[#self.runs + 1] = entry
end

--- Writes a run, and those it went on with, to a file.
---@param root string
---@param id string
---@param path string
---@param store core.Store?
---@param index core.Index of the root
---@return { files: integer, bytes: integer, lost: string[] } lost: outputs that are no more
function export.write(root, id, path, store, index)
  local s = runs.summary(root, id)
  if s.status == "running" or s.status == "pending" then
    errors.raise("state", ("run %s is still running"):format(id), { exit = 5 })
  end
  local self = { root = root, store = store, index = index, blobs = {}, known = {}, runs = {},
    lost = {} }
  for _, old in ipairs(resume.chain(root, id)) do add_run(self, old) end
  local text = json.encode({ format = export.FORMAT, v = export.VERSION, version = sys.version,
    run = id, runs = self.runs }, { indent = 1 })
  bundle.write(path, text, self.blobs)
  return { files = #self.blobs, bytes = fs.stat(path).size, lost = self.lost }
end

return export
