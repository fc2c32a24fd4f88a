-- The index of coding rules: which rules a file, a technology or a project calls for. A rule
-- whose file is unchanged is not opened again: its digest is remembered by its stat, and what
-- was read from it is kept beside.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local index = require("orrery.core.index")
local pack = require("orrery.core.pack")
local projects = require("orrery.knowledge.projects")
local rulefile = require("orrery.knowledge.rulefile")
local sorted = require("orrery.kernel.sorted")
local techs = require("orrery.knowledge.techs")

local rules = {}

---@class orrery.Rules
---@field read integer how many files were opened to make it
local Rules = {}
Rules.__index = Rules

local VERSION = "rules 1"

--- Where rules are looked for when nobody says.
rules.DIRS = { "rules", ".cursor/rules", ".claude/rules" }

local function present(root, dirs)
  local out = {}
  for _, dir in ipairs(dirs) do
    local path = fs.at(root, dir)
    local st = fs.stat(path)
    if st and st.type == "dir" then out[#out + 1] = { name = dir, path = path } end
  end
  return out
end

-- Paths as people know them, and as they are opened.
local function files_of(dirs)
  local names, paths = {}, {}
  for _, dir in ipairs(dirs) do
    local found, err = fs.glob({ "**/*.md", "**/*.mdc", "**/*.mdx", "**/.cursorrules" },
      { root = dir.path })
    if not found then errors.raise("io", errors.text(err)) end
    for _, file in ipairs(found) do
      names[#names + 1] = dir.name .. "/" .. file
      paths[#paths + 1] = dir.path .. "/" .. file
    end
  end
  return names, paths
end

local function decoded(bytes)
  local kept = bytes and pack.decode(bytes)
  return type(kept) == "table" and kept or { digests = {}, rules = {} }
end

-- What the index is about, in short: names and digests.
local function key_of(names, digests)
  local parts = { VERSION }
  for i, name in ipairs(names) do
    parts[2 * i], parts[2 * i + 1] = name, digests[i] or "unreadable"
  end
  return hash.sha256(table.concat(parts, "\0"))
end

local function parsed(names, paths, digests, kept)
  local old, out, read = {}, pack.array({}), 0
  for i, rule in ipairs(kept.rules) do old[rule.path .. "\0" .. kept.digests[i]] = rule end
  local told = pack.array({})
  for i, name in ipairs(names) do
    local rule = old[name .. "\0" .. tostring(digests[i])]
    if not rule then
      local text = fs.read(paths[i], 4 << 20)
      rule, read = text and rulefile.parse(name, text), read + 1
    end
    if rule then
      out[#out + 1], told[#told + 1] = rule, tostring(digests[i])
    end
  end
  return out, told, read
end

--- Opens the rules of some directories. What was read is kept in a file at 'at'; without it,
--- or when it cannot be written, only in memory.
---@param dirs string[]? default rules.DIRS; those that are not there are left out
---@param opts? { root?: string, at?: string }
---@return orrery.Rules
function rules.open(dirs, opts)
  opts = opts or {}
  local root = opts.root or "."
  local self = setmetatable({ root = root, dirs = dirs or rules.DIRS, at = opts.at }, Rules)
  self:refresh()
  return self
end

-- Reads what the index does not hold yet, and keeps it there.
local function take_in(self, ix, names, paths, digests)
  self.kept = ix:get(VERSION)
  if ix:get(VERSION .. " key") == self.key and self.kept then
    self.list = nil -- decoded when it is asked for
    return
  end
  local told
  self.list, told, self.read = parsed(names, paths, digests, decoded(self.kept))
  ix:put(VERSION, pack.encode({ digests = told, rules = self.list }))
  ix:put(VERSION .. " key", self.key)
  ix:flush() -- losing it costs time only
end

--- Looks for what changed.
function Rules:refresh()
  local names, paths = files_of(present(self.root, self.dirs))
  local ix <close> = self.at and index.open(self.at) or nil
  local digests = ix and ix:digests(paths) or hash.files(paths)
  local key = key_of(names, digests)
  self.read = 0
  if key == self.key then return end
  local before = self.key
  self.key, self.globs = key, nil
  if ix then return take_in(self, ix, names, paths, digests) end
  local known = before and { digests = self.told, rules = self.list } or decoded(nil)
  self.list, self.told, self.read = parsed(names, paths, digests, known)
end

--- All rules, by path.
---@return orrery.Rule[]
function Rules:all()
  if not self.list then self.list = decoded(self.kept).rules end
  return self.list
end

-- Globs by the ending they ask for; those without one under "". Each glob once, with the
-- places of its rules.
local function sort_globs(self)
  local endings, seen, count = {}, {}, 0
  local function entry_of(g)
    if not seen[g] then
      count = count + 1
      seen[g] = { glob = g, rules = {}, id = count, any = g == "**/*" or g == "**" }
      local list = g:match("[^/]%.{([%w,]+)}$") or g:match("[^/]%.(%w+)$") or ""
      for ending in (list == "" and "," or list):gmatch("[^,]+") do
        endings[ending] = endings[ending] or {}
        table.insert(endings[ending], seen[g])
      end
      if list == "" then table.insert(endings[""], seen[g]) end
    end
    return seen[g]
  end
  endings[""] = {}
  for i, rule in ipairs(self:all()) do
    for _, g in ipairs(rule.globs) do
      if g:sub(1, 1) ~= "!" then table.insert(entry_of(g).rules, i) end
    end
  end
  self.globs, self.answers = endings, {}
end

local function has_exclusion(rule)
  for _, g in ipairs(rule.globs) do
    if g:sub(1, 1) == "!" then return true end
  end
  return false
end

-- The rules of some globs: those that always hold, then in the order of paths. 'picky' are
-- those that exclude, too, which a path must be asked about each time.
local function answer(self, entries)
  local places, seen, out, list = {}, {}, { picky = false }, self:all()
  for i, rule in ipairs(self:all()) do
    if rule.always then
      seen[i] = true
      out[#out + 1] = rule
    end
  end
  for _, entry in ipairs(entries) do
    for _, i in ipairs(entry.rules) do
      if not seen[i] then
        seen[i] = true
        places[#places + 1] = i
      end
    end
  end
  table.sort(places)
  for _, i in ipairs(places) do
    out[#out + 1] = list[i]
    out.picky = out.picky or has_exclusion(list[i])
  end
  return out
end

local function without_excluded(list, path)
  local out = {}
  for _, rule in ipairs(list) do
    if rule.always or not has_exclusion(rule) or fs.match(rule.globs, path) then
      out[#out + 1] = rule
    end
  end
  return out
end

--- The rules a file calls for: those that always hold, then by glob, in the order of paths.
---@param path string relative to the project's root
---@return orrery.Rule[] not to be changed
function Rules:for_file(path)
  if not self.globs then sort_globs(self) end
  path = fs.normal(path)
  local ending, entries, ids = path:match("%.(%w+)$"), {}, {}
  for _, bucket in ipairs({ self.globs[""], ending and self.globs[ending] or nil }) do
    for _, entry in ipairs(bucket) do
      if entry.any or fs.match(entry.glob, path) then
        entries[#entries + 1], ids[#ids + 1] = entry, entry.id
      end
    end
  end
  local key = table.concat(ids, " ")
  local out = self.answers[key] or answer(self, entries)
  self.answers[key] = out
  return out.picky and without_excluded(out, path) or out
end

--- A rule by its path, or by its name when one rule has it.
---@param name string
---@return orrery.Rule?
function Rules:get(name)
  local found
  for _, rule in ipairs(self:all()) do
    if rule.path == name then return rule end
    if rule.name == name then
      if found then return nil end
      found = rule
    end
  end
  return found
end

--- Rules that name a technology.
---@param name string any spelling
---@return orrery.Rule[]
function Rules:for_tech(name)
  local out, tech = {}, techs.named(name) or name:lower()
  for _, rule in ipairs(self:all()) do
    for _, t in ipairs(rule.techs) do
      if t == tech then out[#out + 1] = rule end
    end
  end
  return out
end

-- How well a rule fits, 0 to 1, and what it matched. A framework that the project does not
-- use rules it out; so does a rule for a language that is not there, when it names no other.
local function fit(rule, has)
  local weight, all, matched = { framework = 3, language = 2, tool = 1 }, 0, {}
  local got, language, wanted = 0, false, false
  for _, t in ipairs(rule.techs) do
    local kind = techs.kind(t)
    all = all + weight[kind]
    if has[t] then
      got = got + weight[kind]
      matched[#matched + 1] = t
      language = language or kind == "language"
    elseif kind == "framework" then
      return 0, matched
    end
    wanted = wanted or kind == "language"
  end
  if wanted and not language then return 0, matched end
  return all > 0 and got / all or 0, matched
end

--- The rules for a project, by what its manifests say it is made with: best first.
---@param root? string default where the rules were opened
---@param opts? { limit?: integer, least?: number } least: how well a rule must fit (0.5)
---@return { rule: orrery.Rule, score: number, techs: string[] }[]
---@return table<string, string[]> technologies of the project, with where each is said
---@return string[] manifests
function Rules:select(root, opts)
  opts = opts or {}
  local has, manifests = projects.detect(root or self.root)
  local out = {}
  for _, rule in ipairs(self:all()) do
    local score, matched = fit(rule, has)
    if rule.always then score = 1 end
    if score >= (opts.least or 0.5) then
      out[#out + 1] = { rule = rule, score = score, techs = matched }
    end
  end
  table.sort(out, function(a, b)
    if a.rule.always ~= b.rule.always then return a.rule.always end
    if a.score ~= b.score then return a.score > b.score end
    if #a.techs ~= #b.techs then return #a.techs > #b.techs end
    return a.rule.path < b.rule.path
  end)
  for i = #out, (opts.limit or #out) + 1, -1 do out[i] = nil end
  return out, has, manifests
end

--- Numbers: rules, globs, checks, technologies by how many rules name them.
---@return table
function Rules:stats()
  local by_tech, globs, checks, remarks = {}, 0, 0, 0
  for _, rule in ipairs(self:all()) do
    globs, checks, remarks = globs + #rule.globs, checks + #rule.checks, remarks + #rule.remarks
    for _, t in ipairs(rule.techs) do by_tech[t] = (by_tech[t] or 0) + 1 end
  end
  return { rules = #self:all(), globs = globs, checks = checks, remarks = remarks,
    technologies = by_tech, read = self.read, names = sorted.keys(by_tech) }
end

return rules
