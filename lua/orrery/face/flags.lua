-- Every flag of the command line, said once: parsing, help and completion read this table.
--
-- name = { short, takes, many, kind, choices, help }
--   takes    nil: a switch; "N": needs a value; "[N]": may have one, only with "="
--   many     collects into a list
--   kind     "count" (a whole number from 1) or "time" ("90s") are converted
local flags = {}

flags.all = {
  jobs = { short = "j", takes = "N", kind = "count",
    help = "run N steps at once (default: processors)" },
  ["keep-going"] = { short = "k", help = "go on with all that does not need a failed step" },
  ["dry-run"] = { short = "n", help = "say what would run, run nothing (as plan does)" },
  directory = { short = "C", takes = "DIR", many = true, help = "change to DIR first" },
  param = { short = "p", takes = "K=V", many = true, help = "set a param" },
  quiet = { short = "q", help = "say only what failed" },
  verbose = { short = "v", help = "say more: commands, what is up to date, metadata" },
  yes = { short = "y", takes = "[STEP]", many = true, help = "approve without asking" },
  only = { help = "the named steps without what they need" },
  from = { takes = "STEP", help = "this step and what depends on it" },
  force = { takes = "[STEP]", many = true, help = "run again: all, or the named steps (globs)" },
  cache = { takes = "MODE", choices = { "rw", "ro", "wo", "off" },
    help = "read and write, only one of them, or neither" },
  affected = { takes = "[BASE]",
    help = "only steps that changes since BASE touch, with what they need; - reads a list" },
  base = { takes = "BASE", help = "what changes are counted from (default: see affected)" },
  agent = { takes = "NAME=CMD", many = true, help = "what executes an agent role; * for all" },
  timeout = { takes = "TIME", kind = "time", help = "end the run after TIME (exit 124)" },
  budget = { takes = "K=V", many = true, help = "usd=5, tokens=1e6, time=1h, steps=100" },
  resources = { takes = "K=V", many = true, help = "capacities: gpu=2,mem=200G" },
  json = { help = "one result document on stdout" },
  events = { takes = "FILE", help = "the journal as it grows, to FILE or - (stdout)" },
  junit = { takes = "FILE", help = "a JUnit report" },
  trace = { takes = "FILE", help = "a Chrome trace (open it in a trace viewer)" },
  report = { takes = "FILE", help = "an HTML report" },
  summary = { takes = "FILE", help = "a Markdown summary, appended to FILE" },
  output = { takes = "HOW",
    choices = { "auto", "live", "group", "prefix", "errors", "quiet" },
    help = "how the steps' output is shown" },
  timestamps = { help = "put the time before each line" },
  color = { takes = "[WHEN]", choices = { "auto", "always", "never" }, help = "when to color" },
  clear = { help = "clear the screen before each new run" },
  strict = { help = "warnings of the check are errors" },
  durable = { help = "sync the journal and the cache to disk" },
  ["sequential-fallback"] = { help = "run members of a group that need each other in order" },
  format = { takes = "F", help = "output format" },
  against = { takes = "RUN", help = "compare with that run" },
  ["exit-code"] = { help = "exit 10 when there is work" },
  ["in"] = { takes = "GLOB", many = true, help = "an input" },
  to = { short = "o", takes = "FILE", help = "the file to write" },
  out = { takes = "PATH", many = true, help = "an output" },
  env = { takes = "NAME", many = true, help = "a variable the command depends on" },
  run = { takes = "RUN", help = "which run: an id, a part of one, or last" },
  by = { takes = "NAME", help = "who decides (default: you)" },
  reason = { takes = "TEXT", help = "why" },
  type = { takes = "TYPE", help = "only of this type" },
  step = { takes = "STEP", help = "only of this step" },
  limit = { takes = "N", kind = "count", help = "at most N" },
  ["max-size"] = { takes = "SIZE", help = "keep at most SIZE: 500M, 10G" },
  ["max-age"] = { takes = "TIME", kind = "time", help = "keep what was used within TIME: 30d" },
  ["unused-by"] = { takes = "RUN", help = "remove what that run did not use" },
  stderr = { help = "only what it wrote to standard error" },
  stdout = { help = "only what it wrote to standard output" },
  lua = { help = "write Lua (the default)" },
  yaml = { help = "write YAML" },
  keep = { takes = "N", kind = "count", help = "how many to keep" },
  rules = { takes = "DIR", many = true, help = "where coding rules are" },
  ["only-rule"] = { takes = "RULE", many = true, help = "only this rule: a name, path or glob" },
  registry = { takes = "FILE", help = "the registry of journeys" },
  fix = { help = "mend what can be mended" },
  formats = { help = "check dates, addresses and other formats, too" },
  help = { short = "h", help = "help for the command" },
}

--- Flags that every command takes.
flags.common = { "directory", "color", "help" }

--- The flags of a command: names, or name = { … } to change the words of one.
---@param list table
---@return table<string, table> by long name, the common ones included
---@usage flags.set({ "json", format = { choices = { "dot" } } })
function flags.set(list)
  local out = {}
  for _, names in ipairs({ flags.common, list }) do
    for _, name in ipairs(names) do out[name] = assert(flags.all[name], name) end
  end
  for name, own in pairs(list) do
    if type(name) == "string" then
      out[name] = setmetatable(own, { __index = flags.all[name] })
    end
  end
  return out
end

return flags
