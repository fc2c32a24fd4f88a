-- The review of a branch: what changed comes from the diff memo, each changed file goes to an
-- agent of its own, an editor makes one review of their notes, and a judge says what it lacks
-- until it is good enough or the rounds are used up.
--
--   orrery run review --agent mock -p base=main          tried out, without a model
--   orrery run review --agent '*=./my-agent' -p base=origin/main --budget usd=2
--
-- An agent's answer is remembered by what it was asked: after a further commit only the files
-- it touched are read again.
local o, git = require("orrery"), require("orrery.git")

local text = { type = "string", minLength = 1 }

local function object(properties, required)
  return { type = "object", required = required, properties = properties }
end

local note = object({
  summary = text,
  findings = { type = "array", items = object({
    line = { type = "integer", minimum = 1 },
    severity = { enum = { "note", "minor", "major", "blocker" } },
    text = text,
  }, { "severity", "text" }) },
}, { "summary", "findings" })

local draft = object({ markdown = text }, { "markdown" })

local verdict = object({
  score = { type = "integer", minimum = 0, maximum = 10 },
  fix = { type = "array", items = text },
}, { "score", "fix" })

-- What an agent can read: binary files and mere renames are only listed.
local function readable(files)
  local out = {}
  for _, f in ipairs(files) do
    if not f.binary and f.patch and f.patch:find("\n@@ ", 1, true) then out[#out + 1] = f end
  end
  return out
end

local function listed(files)
  local out = {}
  for i, f in ipairs(files) do
    out[i] = { path = f.path, was = f.old_path, status = f.status, binary = f.binary or false }
  end
  return out
end

-- What stands in {{with.path}} is a name and no glob, whatever a file is called.
local function review_file(w, f)
  return w:agent("reviewer", {
    prompt = "Review this change for defects: wrong results, unhandled cases, leaks, races. "
      .. "Say nothing about taste.",
    with = { path = f.path, was = f.old_path, status = f.status, patch = f.patch },
    inputs = f.status ~= "D" and { "{{with.path}}" } or {}, returns = note,
  }).value
end

-- Writes, has it judged, writes again; ends with the best there was.
local function improve(w, material)
  local best = { score = -1 }
  local last, fix
  for round = 1, w.params.rounds do
    last = w:agent("editor", {
      prompt = "Write one review in Markdown from these notes, the worst finding first.",
      with = { material = material, last = last, fix = fix }, inputs = {}, returns = draft,
    }).value
    local said = w:agent("judge", {
      prompt = "Score this review from 0 to 10 against its notes; say what is to be mended.",
      with = { material = material, review = last }, inputs = {}, returns = verdict,
    }).value
    if said.score > best.score then
      best = { score = said.score, markdown = last.markdown, rounds = round }
    end
    if said.score >= w.params.target then break end
    fix = said.fix
  end
  return best
end

return o.workflow "review" {
  doc = "Reviews what a branch changed: an agent a file, an editor, a judge.",
  params = {
    base = o.param { default = "", help = "the branch to compare with; empty: the default one" },
    target = o.param { default = 8, help = "the score that is good enough, of 10" },
    rounds = o.param { default = 3, help = "how often the review is written at most" },
    limit = o.param { default = 4, help = "how many files are read at once" },
  },
  body = function(w)
    local repo = git.open(".")
    local base = w.params.base ~= "" and w.params.base or repo:base().merge_base
    local files = repo:diff(base).files
    if #files == 0 then return { files = 0, passed = true } end

    local notes = w:parallel("read", readable(files), function(f)
      return { path = f.path, note = review_file(w, f) }
    end, { limit = w.params.limit, label = function(f) return f.path end,
      policy = { "quorum", need = "80%" } }).values

    local best = improve(w, { files = listed(files), notes = notes })
    local path = w:artifact("review.md", best.markdown)
    return { files = #files, score = best.score, rounds = best.rounds,
      passed = best.score >= w.params.target, review = path }
  end,
}
