-- Looks for what rules forbid, and for what they require, in files; and mends what a rule says
-- how to mend. A fix is made only when it does what it is for: afterwards the pattern is gone
-- from its place. The file as it was is kept.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local pack = require("orrery.core.pack")
local regex = require("orrery.core.regex")
local techs = require("orrery.knowledge.techs")

local audit = {}

-- Larger files are data, and what has a zero byte is no text.
local MOST, HEAD = 2 << 20, 8192

---@class orrery.Violation
---@field file string
---@field line integer
---@field column integer     in bytes
---@field rule string        its path
---@field severity string
---@field message string
---@field code string        the line
---@field fix string?        what the match would become

local function applies(rule, path)
  if #rule.globs > 0 then return false end -- then for_file has decided
  if #rule.techs == 0 then return true end
  local tech = techs.endings[path:match("%.(%w+)$") or ""]
  for _, t in ipairs(rule.techs) do
    if t == tech then return true end
  end
  return false
end

local function wanted(rule, only)
  if not only then return true end
  for _, name in ipairs(only) do
    if rule.name == name or rule.path == name or fs.match(name, rule.path) then return true end
  end
  return false
end

-- The rules with checks that a file is held to.
local function rules_of(self, path)
  local out, seen = {}, {}
  for _, rule in ipairs(self.rules:for_file(path)) do
    if #rule.checks > 0 and wanted(rule, self.only) then
      seen[rule], out[#out + 1] = true, rule
    end
  end
  for _, rule in ipairs(self.loose) do
    if not seen[rule] and wanted(rule, self.only) and applies(rule, path) then
      out[#out + 1] = rule
    end
  end
  return out
end

local function remark(self, file, text)
  local id = file .. "\0" .. text
  if self.said[id] then return end
  self.said[id] = true
  self.remarks[#self.remarks + 1] = { file = file, text = text }
end

-- The compiled pattern of a check; false when it is none.
local function pattern_of(self, rule, check)
  local known = self.patterns[check.pattern]
  if known == nil then
    local re, err = regex.compile(check.pattern, { lines = true })
    if not re then remark(self, rule.path, errors.text(err)) end
    known = re or false
    self.patterns[check.pattern] = known
  end
  return known
end

-- Line, column and text at a byte; lines are counted on from the last place asked.
local function locator(text)
  local line, from, at = 1, 1, 1
  return function(byte)
    if byte < at then line, from, at = 1, 1, 1 end
    while true do
      local nl = text:find("\n", at, true)
      if not nl or nl >= byte then break end
      line, from, at = line + 1, nl + 1, nl + 1
    end
    local stop = text:find("\n", from, true)
    return line, byte - from + 1, (text:sub(from, (stop or #text + 1) - 1):gsub("\r$", ""))
  end
end

-- What a match becomes: $0 … $9, $$ for a dollar.
local function replaced(fix, match, groups)
  return (fix:gsub("%$([%$%d])", function(c)
    if c == "$" then return "$" end
    return c == "0" and match or groups[tonumber(c)] or ""
  end))
end

-- Calls each(first, last, groups) for every match; nil, err when the pattern gives up.
local function matches(re, text, each)
  local from = 1
  while from <= #text + 1 do
    local found = table.pack(re:find(text, from))
    if not found[1] then return found[2] == nil, found[2] end
    each(found[1], found[2], table.pack(table.unpack(found, 3, found.n)))
    from = math.max(found[2], found[1]) + 1
  end
  return true
end

local function violation(path, rule, check, place, byte, fix)
  local line, column, code = place(byte)
  return { file = path, line = line, column = column, rule = rule.path, check = check,
    severity = check.severity, message = check.message, code = code, fix = fix, at = byte }
end

local function look(self, path, text)
  local out, place = {}, locator(text)
  for _, rule in ipairs(rules_of(self, path)) do
    self.applied[rule.path] = self.applied[rule.path] or 0
    for _, check in ipairs(rule.checks) do
      local re, count = pattern_of(self, rule, check), 0
      local ok, err = not re, nil
      if re then
        ok, err = matches(re, text, function(first, last, groups)
          count = count + 1
          if check.required then return end
          local new = check.fix and replaced(check.fix, text:sub(first, last), groups)
          local v = violation(path, rule, check, place, first, new)
          v.last = last
          out[#out + 1] = v
        end)
      end
      if not ok then remark(self, rule.path, errors.text(err)) end
      if re and ok and check.required and count == 0 then
        out[#out + 1] = violation(path, rule, check, place, 1)
      end
    end
  end
  table.sort(out, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    if a.rule ~= b.rule then return a.rule < b.rule end
    return a.message < b.message
  end)
  return out
end

-- The text with all fixes that can be made side by side; those that overlap wait for the
-- next time.
local function mended(text, found)
  local out, from, made = {}, 1, {}
  for _, v in ipairs(found) do
    if v.fix and v.last and v.at >= from then
      out[#out + 1] = text:sub(from, v.at - 1)
      out[#out + 1] = v.fix
      from = v.last + 1
      made[#made + 1] = v
    end
  end
  out[#out + 1] = text:sub(from)
  return table.concat(out), made
end

-- Does what replaced a match still hold what was forbidden? Then the fix is none.
local function is_cure(self, v)
  local re = self.patterns[v.check.pattern]
  return v.fix ~= nil and not re:match(v.fix)
end

local function keep_old(self, path, text)
  local to = ("%s/%s"):format(self.kept, path)
  fs.mkdir(to:match("^(.*)/"))
  local ok, err = fs.write_atomic(to, text)
  if not ok then errors.raise("io", errors.text(err)) end
end

-- Mends a file. What changed since it was read is left alone.
local function mend(self, path, text, found)
  for _, v in ipairs(found) do
    if v.fix and not is_cure(self, v) then
      remark(self, v.rule, ("the fix of '%s' still matches it; not made"):format(v.check.pattern))
      v.fix = nil
    end
  end
  local new, made = mended(text, found)
  if #made == 0 then return end
  if not self.dry then
    local full = self.root .. "/" .. path
    if fs.lstat(full).type ~= "file" or hash.file(full) ~= hash.sha256(text) then
      remark(self, path, "it changed meanwhile, or is a symlink; left as it is")
      return
    end
    keep_old(self, path, text)
    local ok, err = fs.write_atomic(full, new)
    if not ok then errors.raise("io", errors.text(err)) end
  end
  for _, v in ipairs(made) do v.fixed = not self.dry end
  self.fixed[#self.fixed + 1] = { file = path, fixes = #made }
end

local function one(self, path)
  local full = self.root .. "/" .. path
  local st = fs.stat(full)
  if not st then errors.raise("usage", ("there is no file '%s'"):format(path)) end
  if st.size > MOST then return remark(self, path, "over 2 MiB; not looked at") end
  local text, err = fs.read(full)
  if not text then errors.raise("io", errors.text(err)) end
  if text:sub(1, HEAD):find("\0", 1, true) then return end
  local found = look(self, path, text)
  local _, lines = text:gsub("\n", "")
  self.files[#self.files + 1] = { path = path, lines_analyzed = lines + (text:find("[^\n]$") and 1
    or 0), violations_count = #found }
  if self.fix then mend(self, path, text, found) end
  for _, v in ipairs(found) do
    self.found[#self.found + 1] = v
    self.applied[v.rule] = self.applied[v.rule] + 1
  end
end

local weights = { error = 5, warning = 2, info = 1 }

-- 100 without a violation; what counts is how many there are a hundred lines.
local function score(found, lines)
  local sum = 0
  for _, v in ipairs(found) do
    if not v.fixed then sum = sum + weights[v.severity] end
  end
  return math.max(0, math.floor(1000 - 1000 * sum / math.max(100, lines) + 0.5) / 10)
end

--- The report as a document for machines.
local function document(self)
  local counts, lines = { error = 0, warning = 0, info = 0 }, 0
  for _, f in ipairs(self.files) do lines = lines + f.lines_analyzed end
  local violations, applied, tech = pack.array({}), pack.array({}), {}
  for _, v in ipairs(self.found) do
    if not v.fixed then counts[v.severity] = counts[v.severity] + 1 end
    violations[#violations + 1] = { file = v.file, line = v.line, column = v.column,
      rule = v.rule, severity = v.severity, message = v.message, code_snippet = v.code,
      fix_instruction = v.fix, fixed = v.fixed or false }
  end
  for path, n in pairs(self.applied) do
    applied[#applied + 1] = { rule_path = path, rule_name = (self.rules:get(path) or {}).name,
      violations_found = n }
  end
  table.sort(applied, function(a, b) return a.rule_path < b.rule_path end)
  for _, f in ipairs(self.files) do
    tech[techs.endings[f.path:match("%.(%w+)$") or ""] or ""] = true
  end
  tech[""] = nil
  local names = pack.array({})
  for name in pairs(tech) do names[#names + 1] = name end
  table.sort(names)
  return { files_audited = pack.array(self.files), rules_applied = applied,
    violations_found = violations, fixes_applied = pack.array(self.fixed),
    technologies_detected = names, compliance_score = score(self.found, lines),
    remarks = pack.array(self.remarks),
    audit_summary = { total_files = #self.files, total_lines = lines,
      total_violations = #self.found, errors = counts.error, warnings = counts.warning,
      info = counts.info } }
end

--- Holds files to rules.
---@param rules orrery.Rules
---@param files string[] relative to the root
---@param opts? { root?: string, only?: string[], fix?: boolean, dry?: boolean, kept?: string }
---   only: rules by name, path or glob; fix: mend; dry: say what would be mended; kept: the
---   directory for the files as they were
---@return table report files_audited, rules_applied, violations_found, fixes_applied,
---   compliance_score (0 to 100), audit_summary, remarks
function audit.run(rules, files, opts)
  opts = opts or {}
  local self = { rules = rules, root = opts.root or rules.root, only = opts.only,
    fix = opts.fix or opts.dry, dry = opts.dry, kept = opts.kept, patterns = {}, said = {},
    remarks = {}, files = {}, found = {}, applied = {}, fixed = {}, loose = {} }
  for _, rule in ipairs(rules:all()) do
    if #rule.checks > 0 and #rule.globs == 0 then self.loose[#self.loose + 1] = rule end
    for _, text in ipairs(rule.remarks) do remark(self, rule.path, text) end
  end
  for _, path in ipairs(files) do one(self, path) end
  return document(self)
end

return audit
