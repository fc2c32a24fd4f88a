-- orrery artifact: where artifacts come from, how they differ, whether they fit, and a copy.
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")

local files = { ["workflows/w.yaml"] = [[
steps:
  - { step: 1, agent: a, outputs: [one.json, notes.md] }
  - step: 2
    agent: b
    inputs: [one.json (from step 1)]
    outputs: [two.json]
    validation: { schema: s.json }
]], ["s.json"] = '{"required":["title"],"properties":{"title":{"type":"string"}}}' }

local function after_run(t)
  local all = {}
  for k, v in pairs(files) do all[k] = v end
  for k, v in pairs(t.files or {}) do all[k] = v end
  return cli.run { files = all, args = "run w -q --agent mock", again = t }
end

describe("orrery artifact", function()
  it("shows where one is from and who read it", after_run { args = "artifact show one.json",
    stdout = { "read by", "2" }, again = { args = "artifact show two.json --json",
      after = function(_, r)
        local a = json.decode(r.stdout)
        assert.are.equal("1", a.inputs[1].step)
        assert.truthy(a.inputs[1].path:find("/one%.json$"))
        assert.are.equal(64, #a.inputs[1].digest)
        assert.are.same({}, a.used_by)
      end } })

  it("names the nearest", after_run { args = "artifact show tow.json", code = 2,
    stderr = "did you mean 'two.json'" })

  it("checks them against the schemas of their gates", after_run { args = "artifact validate",
    stdout = "fits     ", again = { files = {}, shell = [[for f in .orrery/runs/*/artifacts/two.json
do echo '{}' > $f; done; $orrery artifact validate]], code = 4, stdout = { "refused", "title" },
      again = { args = "artifact validate notes.md", stdout = "no gate" } } })

  it("tells how JSON differs by its structure and text by its lines", after_run {
    shell = [[$orrery run w -q --agent '*=./agent' || exit 9
first=$(ls .orrery/runs | head -1)
$orrery artifact diff one.json --against $first; echo "code $?"
$orrery artifact diff notes.md --against $first
$orrery artifact diff one.json one.json; echo "code $?"]],
    files = { ["agent"] = [[#!/bin/sh
cat >/dev/null
echo '{"role":"a","title":"t","list":[1]}' > $ORRERY_ARTIFACTS/one.json
echo '{"title":"t"}' > $ORRERY_ARTIFACTS/two.json
echo '# other' > $ORRERY_ARTIFACTS/notes.md
]] },
    stdout = { "- /name: \"one.json\"", "+ /list: [1]", "code 1", "-# notes.md", "+# other",
      "@@ -1,", "code 0" } })

  it("copies them with a registry that a script can load, or prints it", after_run {
    args = "artifact export out", stdout = "3 artifacts", after = function(dir)
      assert.truthy(cli.read(dir .. "/out/one.json"))
      assert.are.equal(3, #json.decode(cli.read(dir .. "/out/registry.json")).artifacts)
    end,
    again = { args = [[eval 'require("orrery.registry").load("out/registry.json"):count()']],
      stdout = "3", again = { args = "artifact export", after = function(_, r)
        assert.are.equal(3, #json.decode(r.stdout).artifacts)
      end } } })

  it("takes from the cache what is no longer there as it was", after_run {
    shell = "for f in .orrery/runs/*/artifacts/notes.md; do echo x > $f; done; "
      .. "$orrery artifact export out && cat out/notes.md", stdout = "# notes.md" })
end)
