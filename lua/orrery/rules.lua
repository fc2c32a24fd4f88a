-- Coding rules for scripts: an index of Markdown files with front matter (globs, description),
-- which rules a file or a project calls for, and an audit with the patterns that rules carry.
local check = require("orrery.kernel.check")

local rules = {}

local Index = {}
Index.__index = Index

--- Opens the rules of some directories (default: those of `rules`, `.cursor/rules` and
--- `.claude/rules` that are there). A file that did not change is not opened again: what was
--- read is kept in a file at `keep`, and in memory until `refresh`.
---
---     local index = rules.open({ "rules" }, { keep = ".orrery/rules" })
---@param dirs? string|string[]
---@param opts? { root?: string, keep?: string }
---@return orrery.RuleIndex
function rules.open(dirs, opts)
  opts = check.options(opts, { root = "string", keep = "string" }, "rules.open")
  if type(dirs) == "string" then dirs = { dirs } end
  local inner = require("orrery.knowledge.rules").open(dirs, { root = opts.root, at = opts.keep })
  return setmetatable({ inner = inner }, Index)
end

--- The rules of a text, as an index would hold it.
---
---     rules.parse("go.md", "---\nglobs: *.go\n---\n# Go\n").globs --> { "**/*.go" }
---@param path string
---@param text string
---@return orrery.Rule
function rules.parse(path, text)
  return require("orrery.knowledge.rulefile").parse(path, text)
end

--- All rules, in the order of their paths.
---
---     #index:all() --> 236
---@return orrery.Rule[]
function Index:all() return self.inner:all() end

--- The rule with this path, or with this name when only one has it.
---
---     index:get("rails-basics").globs
---@param name string
---@return orrery.Rule?
function Index:get(name) return self.inner:get(name) end

--- The rules a file calls for by its path.
---
---     index:for_file("src/app.tsx")[1].path
---@param path string relative to the project
---@return orrery.Rule[]
function Index:for_file(path) return self.inner:for_file(path) end

--- The rules that name a technology, as a whole word.
---
---     #index:for_tech("go") --> 12
---@param name string
---@return orrery.Rule[]
function Index:for_tech(name) return self.inner:for_tech(name) end

--- The rules for a project by its manifests (package.json, requirements.txt, go.mod,
--- CMakeLists.txt …), best first; then its technologies with where each is said.
---
---     local chosen, has = index:select(".")
---@param root? string
---@param opts? { limit?: integer, least?: number }
---@return { rule: orrery.Rule, score: number, techs: string[] }[]
---@return table<string, string[]> technologies
function Index:select(root, opts)
  opts = check.options(opts, { limit = "integer", least = "number" }, "index:select")
  return self.inner:select(root, opts)
end

--- Holds files to the patterns of the rules they call for. Nothing is changed.
---
---     index:audit({ "src/app.ts" }).audit_summary.errors --> 2
---@param files string[]
---@param opts? { root?: string, only?: string[] }
---@return table report
function Index:audit(files, opts)
  opts = check.options(opts, { root = "string", only = "table" }, "index:audit")
  return require("orrery.knowledge.audit").run(self.inner, files, opts)
end

--- Looks for what changed in the directories.
---
---     index:refresh()
function Index:refresh() self.inner:refresh() end

--- Numbers: rules, globs, checks, technologies.
---
---     index:stats().rules --> 236
---@return table
function Index:stats() return self.inner:stats() end

return rules
