-- workflows/review.lua, as it is shipped: in any git repository, with the mock and with
-- agents that find fault.
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")

local REVIEW = assert(cli.read("workflows/review.lua"))

local START = [[
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a \
  GIT_COMMITTER_EMAIL=a@b
commit() { git add -A && git commit -qm "$1"; }
git init -q -b main && echo .orrery > .git/info/exclude
printf 'int a;\n' > a.c; printf 'gone\n' > gone.txt; seq 1 20 > old.txt
printf '\0\1\2' > pic.bin; commit first; git checkout -qb topic
]]

-- Writes what it was asked into asked/, one line a call into calls, and answers by role. The
-- judge is not content before the third time, and the editor says which fix it was told.
local AGENT = [=[
local json = require("orrery.core.json")
local doc = json.decode(io.read("a"))
local f <close> = assert(io.open(doc.root .. "/calls", "ab"))
f:write(doc.role, " ", doc.with.path or "", "\n")
f:flush()
local n = 0
for line in io.lines(doc.root .. "/calls") do n = n + (line:find("^judge") and 1 or 0) end
local answers = {
  reviewer = { summary = "read " .. tostring(doc.with.path), findings = json.decode("[]") },
  editor = { markdown = "round " .. n .. ": " .. tostring(doc.with.fix and doc.with.fix[1]) },
  judge = { score = ({ 5, 3, 9 })[n] or 4, fix = { "say more (" .. n .. ")" } },
}
print(json.encode({ status = "ok", value = answers[doc.role] }))
]=]

local function test(t)
  t.files = { ["workflows/review.lua"] = REVIEW, ["agent.lua"] = AGENT }
  t.shell = START .. t.shell
  return cli.run(t)
end

local MOCK = "\n$orrery run review --agent mock -p base=main"
local AGENTS = "\n$orrery run review -j1 --agent '*='$orrery' lua agent.lua' -p base=main"

local function result(r) return json.decode(r.stdout).result end

local function artifact(r) return cli.read(result(r).review) end

describe("the review of a branch", function()
  it("needs nobody when nothing changed", test {
    shell = MOCK .. " --json 2>/dev/null",
    after = function(_, r)
      assert.are.same({ files = 0, passed = true }, result(r))
    end })

  it("says once how to configure an agent, however many files want one", test {
    shell = "for i in 1 2 3 4 5; do echo $i > f$i; done\n$orrery run review -j1 -p base=main",
    code = 1, after = function(_, r)
      local _, hints = r.stderr:gsub("to try it without one:  %-%-agent mock", "")
      assert.are.equal(1, hints)
      assert.is_nil(r.stderr:find("read[f1]: read[f1]/", 1, true), r.stderr)
    end })

  it("reads each changed file by itself, deleted and new ones too, and lists the rest", test {
    shell = [[
git rm -q gone.txt; git mv old.txt 'new name.txt'
printf '\0\1\3' > pic.bin; echo 'int b;' >> a.c; commit work; echo new > 'not yet known.txt']]
      .. MOCK .. " --json 2>/dev/null",
    after = function(_, r)
      local ids, doc = {}, json.decode(r.stdout)
      for _, s in ipairs(doc.steps) do ids[#ids + 1] = s.id:match("^(.*)/agent:reviewer$") end
      table.sort(ids)
      assert.are.same({ "read[a.c]", "read[gone.txt]", "read[not_yet_known.txt]" }, ids)
      assert.are.equal(5, doc.result.files)
      assert.are.equal(10, doc.result.score)
      assert.is_true(doc.result.passed)
      assert.is_truthy(artifact(r):find("%a"))
    end })

  it("takes names and texts of any kind as they are", test {
    shell = [[
printf '{{params.base}} {{results.nope.value}} {{params.x|y}}\n' > '{{params.base}}.txt'
echo x > '*'; echo x > '!not.txt'; echo x > 'a{b,c}[1].txt'; echo x > '-n'; echo x > "it's"
echo x > 'two
lines']] .. AGENTS .. " -p rounds=1 -q; cat calls", code = 0,
    stdout = { "reviewer *\n", "reviewer !not.txt\n", "reviewer a{b,c}[1].txt\n",
      "reviewer {{params.base}}.txt\n", "reviewer -n\n", "reviewer it's\n", "reviewer two\nlines" },
    stderr = "!error" })

  it("asks again only about what a further commit touches", test {
    shell = "echo 1 >> a.c; echo 2 >> gone.txt; commit one"
      .. MOCK .. " -q; echo 3 >> a.c; commit two" .. MOCK .. MOCK,
    stdout = { "ok         read[a.c]/agent:reviewer", "a.c changed", "!read[gone.txt]",
      "steps: everything up to date" } })

  it("asks nothing again when the base only has another name", test {
    shell = "git branch base; echo 1 >> a.c; commit one" .. MOCK
      .. " -q; $orrery run review --agent mock -p base=base", stdout = "everything up to date" })

  it("is written again with what the judge misses, until the score is good enough", test {
    shell = "echo 1 >> a.c; commit one" .. AGENTS
      .. " --json 2>/dev/null",
    after = function(dir, r)
      assert.are.equal("reviewer a.c\neditor \njudge \neditor \njudge \neditor \njudge \n",
        cli.read(dir .. "/calls"))
      local got = result(r)
      assert.are.same({ 9, 3, true }, { got.score, got.rounds, got.passed })
      assert.are.equal("round 2: say more (2)", artifact(r))
    end })

  it("ends when the rounds are used up, with the best there was", test {
    shell = "echo 1 >> a.c; commit one" .. AGENTS
      .. " -p rounds=2 --json 2>/dev/null",
    after = function(_, r)
      local got = result(r)
      assert.are.same({ 5, 1, false }, { got.score, got.rounds, got.passed })
      assert.are.equal("round 0: nil", artifact(r))
    end })

  it("finds the base itself when none is named", test {
    shell = "echo 1 >> a.c; commit one\n"
      .. "$orrery run review --agent mock", stdout = "read[a.c]" })

  it("says what is wrong with a base that is not there, or without a repository", test {
    shell = "$orrery run review --agent mock -p base=nope; echo code $?\n"
      .. "rm -rf .git\n$orrery run review --agent mock; echo code $?", code = 0,
    stdout = "code 1\n", stderr = { "no commit 'nope'", "no git repository" } })
end)
