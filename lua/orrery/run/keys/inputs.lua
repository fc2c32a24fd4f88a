-- From declared inputs to files and digests, at the moment a step is ready.
--
-- A glob sees sources and the declared outputs of upstream steps, never another step's
-- outputs, whatever lies on disk; so the key of a step cannot depend on what else ran.
local artifacts = require("orrery.run.keys.artifacts")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local links = require("orrery.run.keys.links")
local still = require("orrery.run.keys.still")
local temp = require("orrery.run.keys.temp")
local template = require("orrery.model.template")

local inputs = {}

-- Which step declares a path as output: literal files and directories in 'files', globs in
-- 'trees' with their fixed prefix. Made once per run.
local function new_owners(run)
  local owners = { files = {}, trees = {} }
  for _, step in ipairs(run.workflow.steps) do inputs.claim(owners, step, step.outputs) end
  return owners
end

--- Records the outputs of a step (also of one made while the run goes on).
---@param owners table
---@param step orrery.Step
---@param outputs orrery.PathSpec[]
function inputs.claim(owners, step, outputs)
  local excluded = {}
  for _, spec in ipairs(outputs or {}) do
    local open = spec.path:find("{{", 1, true) -- known only when the step runs
    if spec.exclude and not open then
      excluded[#excluded + 1] = "!" .. spec.path
    elseif spec.glob and not open then
      local prefix = spec.path:match("^[^%*%?%[{]*"):match("^(.*)/") or ""
      owners.trees[#owners.trees + 1] = { prefix = prefix, id = step.id, glob = spec.path,
        excluded = excluded }
    elseif not open then
      owners.files[spec.path] = step.id
    end
  end
end

local function grows(tree, path)
  local n = #tree.prefix
  if n > 0 and not (path:sub(1, n) == tree.prefix and path:sub(n + 1, n + 1) == "/") then
    return false
  end
  return fs.match({ tree.glob, table.unpack(tree.excluded) }, path)
end

--- The step that a path belongs to as an output, or nil for a source.
---@param run orrery.Run
---@param path string relative to the root
---@return string? step id
function inputs.owner(run, path)
  local owners = run.owners
  if not owners then
    owners = new_owners(run)
    run.owners = owners
  end
  local p = path
  while p and p ~= "" do
    local id = owners.files[p]
    if id then return id end
    p = p:match("^(.*)/[^/]*$")
  end
  for _, tree in ipairs(owners.trees) do
    if grows(tree, path) then return tree.id end
  end
end

-- Neither a template nor the mark of a run's directory.
local function is_plain(specs)
  for i = 1, #specs do
    if specs[i].path:find("[{<]") then return false end
  end
  return true
end

local function render_specs(specs, ctx)
  if is_plain(specs) then return specs end
  local out = {}
  for _, spec in ipairs(specs) do
    local v = template.render(spec.path, ctx, "value")
    if v == spec.path and artifacts.here(ctx.run.id, v) == v then
      out[#out + 1] = spec
    elseif type(v) == "table" then
      for _, p in ipairs(v) do
        out[#out + 1] = { path = fs.normal(tostring(p)), name = spec.name, exclude = spec.exclude,
          dir = spec.dir, optional = spec.optional }
      end
    else
      v = artifacts.here(ctx.run.id, tostring(v))
      out[#out + 1] = { path = v == spec.path and v or fs.normal(v), name = spec.name,
        exclude = spec.exclude, glob = spec.glob, dir = spec.dir, optional = spec.optional }
    end
  end
  return out
end

--- The ids of all that a step needs or comes after, of groups and of their members.
---@param run orrery.Run
---@param step orrery.Step
---@param see? fun(id: string) told each as it is found
---@return table<string, true>
function inputs.upstream(run, step, see)
  local seen, stack = {}, {}
  local function push(ids)
    for _, id in ipairs(ids or {}) do
      if not seen[id] then
        seen[id] = true
        stack[#stack + 1] = id
      end
    end
  end
  push(step.needs)
  push(step.after)
  while #stack > 0 do
    local id = table.remove(stack)
    local node = run.workflow.by_id[id]
    if see then see(id) end
    if node and node.members then
      for _, m in ipairs(node.members) do push({ m.id }) end
    end
    if node then
      push(node.needs)
      push(node.after)
    end
  end
  return seen
end

-- The files that upstream steps made, by step id.
local function upstream_outputs(run, step)
  local out = {}
  local seen = inputs.upstream(run, step, function(id)
    local r = run.results[id]
    for _, p in ipairs(r and r.outputs or {}) do out[#out + 1] = p end
  end)
  return seen, out
end

local function expand_globs(run, step, patterns)
  local found, why = fs.glob(patterns, { root = run.root })
  if not found then errors.raise(why.code, why.message) end
  if run.consulted then run.consulted:glob(patterns, found, why) end
  if run.watched then run.watched:glob(run, step, patterns, found, why.dirs) end
  local upstream, made = upstream_outputs(run, step)
  local seen, out = {}, {}
  for _, p in ipairs(found) do
    local owner = inputs.owner(run, p)
    if not owner or (owner ~= step.id and upstream[owner]) then
      seen[p] = true
      out[#out + 1] = p
    end
  end
  for _, p in ipairs(made) do
    if not seen[p] and inputs.owner(run, p) ~= step.id and fs.match(patterns, p) then
      seen[p] = true
      out[#out + 1] = p
    end
  end
  table.sort(out)
  return out
end

local function kind_of(run, spec)
  if spec.glob then return "glob" end
  if spec.dir then return "dir" end
  if still.get(run, spec.path) then return "file" end
  local st = fs.stat(run.root .. "/" .. spec.path)
  if not st and run.overlay and artifacts.promised_below(run, spec.path) then return "dir" end
  if not st or st.type ~= "dir" then return "file" end
  if run.consulted then run.consulted:dir(spec.path) end
  return "dir"
end

-- Of a directory what is below it counts. That the index was asked for the directory itself
-- is forgotten, or the run would rest on something that is no file and not be remembered.
local function forget_dirs(run, paths)
  for _, p in ipairs(paths) do
    local full = fs.at(run.root, p)
    local st = fs.stat(full)
    if st and st.type == "dir" then run.index:forget(full) end
  end
end

-- Only files that are there, each named by itself? Then they are looked at all at once.
local function all_files(run, specs)
  local paths = {}
  for i = 1, #specs do
    local spec = specs[i]
    if spec.glob or spec.dir or spec.exclude then return nil end
    paths[i] = spec.path
  end
  if run.overlay then return nil end
  local facts = inputs.facts(run, paths)
  for i = 1, #facts do
    if not facts[i][2] then return forget_dirs(run, paths) end
  end
  return paths
end

-- Globs of one name are expanded together, so that a later "!x" takes from an earlier "**".
local function expand_all(run, step, specs)
  local paths = all_files(run, specs)
  if paths then return paths, {} end
  local per_spec, patterns, at = {}, {}, {}
  for i, spec in ipairs(specs) do
    local kind = spec.exclude and "exclude" or kind_of(run, spec)
    if kind == "file" then
      per_spec[i] = spec.path
    elseif kind == "dir" and artifacts.holds(spec.path) then
      per_spec[i] = artifacts.files(run, spec.path)
    else
      local p = spec.path .. (kind == "dir" and "/**" or "")
      local group = spec.name or ""
      if kind == "exclude" then
        for _, list in pairs(patterns) do list[#list + 1] = "!" .. p end
        per_spec[i] = {}
      else
        if not patterns[group] then
          patterns[group], at[group] = {}, i
        else
          per_spec[i] = {}
        end
        table.insert(patterns[group], p)
      end
    end
  end
  local empty = {}
  for group, list in pairs(patterns) do
    local files = expand_globs(run, step, list)
    per_spec[at[group]] = files
    if #files == 0 then empty[#empty + 1] = list[1] end
  end
  return per_spec, empty
end

--- Expands the declared inputs of a step.
---@param run orrery.Run
---@param step orrery.Step
---@param ctx table
---@return (string|string[])[] per_spec a path or the files of a glob, for each declared input
---@return string[] files all, in order, without repeats
---@return string[] empty globs that matched nothing
function inputs.expand(run, step, ctx)
  if not step.inputs or #step.inputs == 0 then return {}, {}, {} end
  local per_spec, empty = expand_all(run, step, render_specs(step.inputs, ctx))
  local seen, files = {}, {}
  local function add(p)
    if not seen[p] then
      seen[p] = true
      files[#files + 1] = p
    end
  end
  for i = 1, #per_spec do
    local v = per_spec[i]
    if type(v) == "table" then
      for _, p in ipairs(v) do add(p) end
    else
      add(v)
    end
  end
  return per_spec, files, empty
end

--- Rendered output specs of a step.
---@param step orrery.Step
---@param ctx table
---@return orrery.PathSpec[]
function inputs.outputs(step, ctx)
  return render_specs(step.outputs or {}, ctx)
end

-- The fact of one file; d is false when it is not there.
local function fact_of(run, p, d, mode)
  local promised = run.overlay and run.overlay[p]
  if d and not promised then return still.put(run, p, d, mode) end
  local other = promised or temp.absent(run, p)
  p = artifacts.anywhere(run, p)
  if not other then return { p, false } end
  return { p, other.digest, other.mode and other.mode & 64 ~= 0 }
end

-- The permissions of every symlink; few files have them.
local LINK_MODE = 511

-- Looks at the files whose facts are missing.
local function look(run, files, missing, facts)
  local paths = files
  if #missing < #files then
    paths = {}
    for j = 1, #missing do paths[j] = files[missing[j]] end
  end
  local digests, modes = run.index:digests(paths, 0, run.root)
  local plain = run.overlay == nil
  for j = 1, #missing do
    local p, d, mode = paths[j], digests[j], modes[j]
    if mode == LINK_MODE then
      local full = fs.at(run.root, p)
      local st = fs.lstat(full)
      if st and st.type == "link" then d, mode = links.fact(run.index, full) end
    end
    facts[missing[j]] = plain and d and still.put(run, p, d, mode) or fact_of(run, p, d, mode)
  end
end

--- Digest facts of files: { path, digest, executable } or { path, false } for a missing one.
---@param run orrery.Run
---@param files string[] relative to the root
---@return table[] facts in the order of files; to be read only
function inputs.facts(run, files)
  local facts, missing = {}, nil
  local overlay = run.overlay
  for i = 1, #files do
    local p = files[i]
    local fact = not (overlay and overlay[p]) and still.get(run, p) or nil
    facts[i] = fact or false
    if not fact then
      missing = missing or {}
      missing[#missing + 1] = i
    end
  end
  if missing then look(run, files, missing, facts) end
  return facts
end

--- Which of some files is not what its fact says, looking again? nil: none.
---@param run orrery.Run
---@param files string[]
---@param facts table[] of inputs.facts, in the same order
---@param skip table<string, boolean> paths that may differ
---@return string?
function inputs.changed(run, files, facts, skip)
  -- Links and files that are put back later have facts of their own kind.
  if #files == 0 or not run.index:changed(files, facts, run.root) then return nil end
  for i, now in ipairs(inputs.facts(run, files)) do
    if now[2] ~= facts[i][2] and not skip[now[1]] then return now[1] end
  end
end

return inputs
