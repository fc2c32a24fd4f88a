-- What each field of the language is for, in a line: the reference and editors show it.
-- The fields themselves are in model/fields.lua.
local help = {}

help.step = {
  run = "a command: a text for /bin/sh -e, or a list of words executed as it is",
  call = 'a Lua function on another thread, or "module:function"; what it returns is the value',
  skill = "a skill of the library, by name",
  agent = "an agent's role, executed as orrery.lua or --agent says",
  workflow = "another workflow, by name; with = its params",
  body = "function(w): starts steps as it goes",
  approve = "a question to a person; the step waits for the answer",
  service = "a command that runs while steps that need it do",
  doc = "what it is for, in a line",
  needs = "ids of steps and groups that must be ok before; their results are in the key",
  after = "ids that must have ended before, whatever came of them",
  behind = "ids that must be ok before, or be skipped by their own when; not in the key",
  when = 'a Lua expression, function(ctx) or o.condition "…": false skips the step',
  cwd = "where it works, relative to the root; its paths are relative to it, //x to the root",
  inputs = "paths and globs it reads; with them a command is remembered ({}: it reads none)",
  outputs = "paths and globs it writes; must be there after it, and are put back from the cache",
  depfile = "a file of the compiler that lists more inputs (gcc -MD)",
  tools = "programs whose content is in the key; default: the program of the command",
  shell = '"bash" or an argv that gets the text of run',
  parse = 'stdout as the value: "text", "lines" or "json"',
  tty = "gets the terminal; never remembered",
  keep = "leave its former outputs in place when it runs again",
  temp = "delete its outputs after their last consumer",
  env = "variables: names to take, NAME = value to set; in the key",
  pass_env = "names of variables handed on, not in the key",
  with = "values for a call (ctx.with), a nested workflow, a skill, an agent",
  prompt = "what the agent is asked",
  model = "which model the agent is to use",
  reads = 'artifacts it gets: names, or { "plan.json", from = "0", optional, note, instead_of, '
    .. 'beside }; without from, a param of that name or a file',
  artifacts = 'what it makes, in the run: names, or { "x", kind = "reasoning", "directory", '
    .. '"file" or "artifact", optional, note }',
  uses = "what the agent is told to use: { skill = NAME, tool = NAME }",
  fallback = "roles that take over, in order, when its tries are used up",
  on_failure = 'what a final failure means: "escalate_to_human" asks, other words are notes',
  returns = "a JSON Schema, or a file with one, that the value must meet",
  gate = "a check that a result must pass: schema of files, check = function(ctx)",
  normalize = "function(value): what counts of the value for those that need it",
  timeout = 'ends it after a time: 90, "5m"',
  retry = 'tries again: { attempts = 3, delay = "1s", backoff = 2, max_delay, jitter, on = {…} }',
  allow_failure = "its failure fails nothing else",
  cache = "false: not remembered; { ttl, scope, store = false }",
  resources = "what it takes of cpu, mem, gpu and your own; never in the key",
  for_each = "a list, map, result or function: one member each, as id[label]",
  matrix = "all combinations of lists, without those of exclude",
  label = "the name of a member, a template",
  limit = "how many members at once",
  max = "refuse more members than this",
  policy = "what one failure of a member means for the others",
  show = "files shown with the question",
  ready = "when the service is up: { run | tcp | http | log, every, timeout }",
  stop = "how the service is ended: { signal, grace }",
  sample = "tells equal calls of a body apart",
}

help.group = {
  doc = "what it is for, in a line",
  steps = "its members; they may also stand in the table itself",
  policy = 'what one failure means for the rest: "stop", "settled", "fail_fast", "race", '
    .. '"quorum", or a module of yours',
  limit = "how many members at once",
  needs = "as of a step, for all members",
  after = "as of a step, for all members",
  when = "as of a step, for all members",
  finally = "steps that run after all else, in order, whatever happened",
}

help.workflow = {
  doc = "what it is for, in a line",
  params = "names and defaults, which give the types; or o.param { … }",
  steps = "its steps and groups, or function(params) that returns them; they may also stand in "
    .. "the table itself",
  body = "function(w): starts steps as it goes",
  policy = "as of a group",
  limit = "how many steps at once",
  env = "as of a step, for all steps",
  pass_env = "as of a step, for all steps",
  dotenv = "files of NAME=value lines that feed env and pass_env; a later one wins",
  secrets = "names, or NAME = { env | file | run }; used as {{secrets.NAME}} in env, masked "
    .. "everywhere",
  budget = "bounds: { usd, tokens, time, steps }",
  cache = "as of a step, for all steps",
  result = "the value of the run: a template or function(ctx)",
  loops = 'steps that run again: { from = ID, to = ID, max = N, again = o.condition "…", '
    .. 'counter = PARAM, before = { ids that wait for all rounds } }',
  finally = "steps that run after all else, in order, whatever happened",
}

help.param = {
  required = "must be given",
  choices = "the values it may have",
  pattern = "a regular expression (ECMA) that its text must match",
  type = '"string", "number", "integer", "boolean", "list" or "map"; default: that of default',
  help = "what it is for, in a line",
  default = "its value unless given",
}

return help
