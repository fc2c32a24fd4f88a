-- orrery agents rules index | for FILE… | select [DIR] | audit [PATH…]
local audit = require("orrery.knowledge.audit")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local knowledge = require("orrery.knowledge.rules")
local sorted = require("orrery.kernel.sorted")
local state = require("orrery.run.records.state")
local sys = require("orrery.core.sys")
local target = require("orrery.face.target")
local verbs = require("orrery.face.verbs")
local words = require("orrery.face.words")

local rules = {}

rules.usage = "orrery agents rules index | for FILE… | select [DIR] | audit [PATH…]"
rules.about = [[
Coding rules are Markdown files with front matter (description, globs). index reads what is
new; for says which rules a file calls for; select, which a project calls for by its manifests;
audit looks for what rules forbid or require in a <validation> block. Rules are looked for in
the directories of --rules, else of `rules` in orrery.lua, else rules, .cursor/rules and
.claude/rules.]]
rules.flags = { "json", "rules", "only-rule", "fix", "dry-run", "strict", "limit" }
rules.examples = { { "orrery agents rules index", "how many there are, and what is odd" },
  { "orrery agents rules for src/app.tsx", "what an agent editing it should know" },
  { "orrery agents rules select", "what this project calls for, and why" },
  { "orrery agents rules audit src --json", "a report; exit 1 when there are errors" },
  { "orrery agents rules audit src --fix", "mend what has a fix; the old files are kept" } }
rules.notes = [[
A fix is made only when what it writes no longer matches the pattern. The files as they were
are kept in .orrery/fixed/. --fix -n shows what would be mended.]]

local function open(c)
  local root, conf = target.root()
  local dirs = c.opts.rules or conf.rules
  local st = fs.stat(root .. "/.orrery")
  if not st then state.prepare(root) end
  local index = knowledge.open(dirs, { root = root, at = root .. "/.orrery/rules" })
  if #index:all() == 0 then
    errors.raise("usage", "no rules are found in " .. table.concat(dirs or knowledge.DIRS, ", "),
      { hint = "name their directory: --rules=DIR, or rules = { \"DIR\" } in orrery.lua" })
  end
  return index, root
end

local function say(c, value, lines)
  if c.opts.json then
    c.out(json.encode(value, { lossy = true, indent = 2 }) .. "\n")
  else
    c.out(table.concat(lines, "\n") .. (#lines > 0 and "\n" or ""))
  end
end

local function remark(c, list)
  for _, m in ipairs(list) do c.err(("%s:1: warning: %s\n"):format(m.file, m.text)) end
end

-- A path of the command line, relative to the root.
local function relative(root, path)
  local full = fs.normal(fs.at(sys.cwd(), path))
  if full == root then return "." end
  if full:sub(1, #root + 1) ~= root .. "/" then
    errors.raise("usage", ("'%s' is outside the root %s"):format(path, root))
  end
  return full:sub(#root + 2)
end

local known = {}

function known.index(c)
  local index = open(c)
  local s, rows = index:stats(), {}
  local remarks = {}
  for _, rule in ipairs(index:all()) do
    for _, text in ipairs(rule.remarks) do
      remarks[#remarks + 1] = { file = rule.path, text = text }
    end
  end
  local names = s.names
  table.sort(names, function(a, b)
    local m, n = s.technologies[a], s.technologies[b]
    if m ~= n then return m > n end
    return a < b
  end)
  s.names = nil
  for i = 1, math.min(#names, 12) do
    rows[i] = { "  " .. names[i], words.count(s.technologies[names[i]], "rule") }
  end
  local lines = words.columns(rows)
  table.insert(lines, 1, ("%s, %s, %s; %s read now"):format(words.count(s.rules, "rule"),
    words.count(s.globs, "glob"), words.count(s.checks, "check"), words.count(s.read, "file")))
  if #names > 12 then lines[#lines + 1] = ("  and %d more"):format(#names - 12) end
  remark(c, remarks)
  say(c, s, lines)
  return 0
end

local function brief(rule)
  return { path = rule.path, name = rule.name, title = rule.title, always = rule.always,
    description = rule.description, globs = pack.array(rule.globs),
    technologies = pack.array(rule.techs) }
end

known["for"] = function(c)
  if not c.words[2] then errors.raise("usage", "for which file?", { hint = rules.usage }) end
  local index, root = open(c)
  local doc, lines = pack.array({}), {}
  for i = 2, #c.words do
    local path = relative(root, c.words[i])
    local found, list, rows = index:for_file(path), pack.array({}), {}
    for j, rule in ipairs(found) do
      list[j] = brief(rule)
      rows[j] = { rule.path, rule.description ~= "" and rule.description or rule.title }
    end
    doc[#doc + 1] = { file = path, rules = list }
    if #c.words > 2 then lines[#lines + 1] = path end
    table.move(words.columns(rows, #c.words > 2 and "  " or ""), 1, #rows, #lines + 1, lines)
    if #found == 0 then c.err(("%s: no rule is for it\n"):format(path)) end
  end
  say(c, doc, lines)
  return 0
end

function known.select(c)
  local index, root = open(c)
  local dir = c.words[2] or root
  if not fs.stat(dir) then errors.raise("usage", ("there is no directory '%s'"):format(dir)) end
  local chosen, has, manifests = index:select(dir, { limit = tonumber(c.opts.limit) })
  local doc = { technologies = has, manifests = pack.array(manifests), rules = pack.array({}) }
  local rows = {}
  for name, where in sorted.pairs(has) do rows[#rows + 1] = { name, where[1] } end
  local lines = words.columns(rows)
  if #rows == 0 then c.err("no manifest says what this project is made with\n") end
  if #rows > 0 and #chosen > 0 then lines[#lines + 1] = "" end
  rows = {}
  for i, one in ipairs(chosen) do
    local e = brief(one.rule)
    e.score, e.matched = one.score, pack.array(one.techs)
    doc.rules[i] = e
    rows[i] = { ("%3.0f %%"):format(one.score * 100), one.rule.path,
      one.rule.always and "always" or table.concat(one.techs, ", ") }
  end
  table.move(words.columns(rows), 1, #rows, #lines + 1, lines)
  say(c, doc, lines)
  return 0
end

local function files_of(c, root)
  local out = {}
  local paths = #c.words > 1 and table.move(c.words, 2, #c.words, 1, {}) or { "." }
  for _, path in ipairs(paths) do
    local rel = relative(root, path)
    local st = fs.stat(rel == "." and root or root .. "/" .. rel)
    if not st then errors.raise("usage", ("there is no file '%s'"):format(path)) end
    if st.type == "dir" then
      local found = assert(fs.glob(rel == "." and "**/*" or rel .. "/**/*", { root = root }))
      table.move(found, 1, #found, #out + 1, out)
    else
      out[#out + 1] = rel
    end
  end
  return out
end

-- The rules' own examples of what not to do are no violations.
local function without_rules(files, index)
  local own, out = {}, {}
  for _, rule in ipairs(index:all()) do own[rule.path] = true end
  for _, path in ipairs(files) do
    if not own[path] then out[#out + 1] = path end
  end
  return out
end

local function audit_lines(report)
  local lines = {}
  for _, v in ipairs(report.violations_found) do
    lines[#lines + 1] = ("%s:%d:%d: %s: %s [%s]%s"):format(v.file, v.line, v.column, v.severity,
      v.message, v.rule, v.fixed and " (fixed)" or v.fix_instruction and " (has a fix)" or "")
  end
  local s = report.audit_summary
  lines[#lines + 1] = ("%s, %s: %s, %s, %s; score %.1f"):format(
    words.count(s.total_files, "file"), words.count(#report.rules_applied, "rule"),
    words.count(s.errors, "error"), words.count(s.warnings, "warning"),
    words.count(s.info, "note"), report.compliance_score)
  return lines
end

function known.audit(c)
  local index, root = open(c)
  local files = without_rules(files_of(c, root), index)
  local kept = ("%s/.orrery/fixed/%s"):format(root, os.date("!%Y%m%d-%H%M%S"))
  local fix = c.opts.fix
  local report = audit.run(index, files, { root = root, only = c.opts["only-rule"],
    fix = fix and not c.opts["dry-run"], dry = fix and c.opts["dry-run"], kept = kept })
  remark(c, report.remarks)
  local lines = audit_lines(report)
  for _, f in ipairs(report.fixes_applied) do
    lines[#lines + 1] = ("%s: %s %s"):format(f.file, words.count(f.fixes, "fix", "fixes"),
      c.opts["dry-run"] and "would be made" or "made")
  end
  if fix and not c.opts["dry-run"] and #report.fixes_applied > 0 then
    lines[#lines + 1] = "the files as they were: " .. kept:sub(#root + 2)
    report.kept = kept
  end
  say(c, report, lines)
  local s = report.audit_summary
  return (s.errors > 0 or (c.opts.strict and s.warnings + s.info > 0)) and 1 or 0
end

--- Does what its first word says.
---@param c table the invocation
---@return integer
function rules.main(c)
  return verbs.go(c, "rules", rules.usage, known)
end

return rules
