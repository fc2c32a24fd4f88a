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

  local one_step = [[return require("orrery").workflow "w" { require("orrery").step "a" {
    run = "echo %s > a.txt; echo '{}' > b.json", inputs = {}, outputs = { "a.txt", "b.json" } } }]]
  local two = { ["p/workflows/w.lua"] = one_step:format("p"), ["q/workflows/w.lua"] = one_step:format("q") }

  it("takes what export made into another run, once", cli.run { files = two,
    shell = [[cd p && $orrery run w -q && $orrery artifact export ../d >/dev/null && cd ../q && $orrery run w -q &&
$orrery artifact import ../d && $orrery artifact import ../d/registry.json && rm -r ../d ../p &&
$orrery artifact diff a.txt; $orrery artifact list --json > ../list]],
    stdout = { "1 artifact added to run ", "; 1 were there", "0 artifacts added", "; 2 were there",
      "--- a.txt@v1\n+++ a.txt@v2\n@@ -1,1 +1,1 @@\n-q\n+p" },
    after = function(dir)
      local list = json.decode(cli.read(dir .. "/list"))
      assert.are.same({ "a.txt@v1", "b.json@v1", "a.txt@v2" }, { list[1].id, list[2].id, list[3].id })
      assert.truthy(list[3].path:find("^%.orrery/runs/[%w-]+/artifacts/imported/%x+/a%.txt$"))
    end })

  it("takes the registry of another tool, and follows no path out of the project", after_run {
    files = { ["fw.json"] = '{"version":"1.0","artifacts":[{"id":"prd-1","name":"prd","type":"document",'
      .. '"path":"docs/prd.md","step":"0.1","owner":"pm"},{"name":"p","path":"/etc/hostname"},'
      .. '{"name":"x","path":"../x"}]}', ["docs/prd.md"] = "# it\n", ["../x"] = nil },
    shell = [[$orrery artifact import fw.json --json && $orrery artifact show prd --json > got;
$orrery artifact diff prd p; $orrery artifact diff prd x; $orrery artifact export e; echo "code $?"]],
    stdout = { '"bare": 2', '"known": 0', '"prd-1"', "code 5" },
    stderr = { "its file /etc/hostname is outside of", "its file ../x is outside of" },
    after = function(dir)
      local a = json.decode(cli.read(dir .. "/got"))
      assert.are.same({ "prd-1", "document", "0.1", "docs/prd.md", "pm", 64 },
        { a.id, a.type, a.step, a.path, a.meta.owner, #a.digest })
    end })

  it("says what cannot be imported, and changes nothing", after_run {
    files = { ["bad.json"] = '{"artifacts":[{"name":"a"},\n{}]}', ["list.json"] = "[]",
      ["wrong.json"] = '{"artifacts":[{"name":"new"},{"name":"s.json","digest":"' .. ("0"):rep(64) .. '"}]}' },
    shell = [[$orrery artifact list > before; for f in bad.json list.json wrong.json none.json ""; do
$orrery artifact import $f; echo "code $?"; done; $orrery artifact list | cmp - before && echo same]],
    stdout = { "code 5\ncode 5\ncode 5\ncode 2\ncode 2\nsame" },
    stderr = { "bad.json:2:1: ", "list.json:1:1: a registry is an object with 'artifacts'",
      "/s.json is not what its digest says", "there is no file 'none.json'", "import what?" } })

  it("takes from the cache what is no longer there as it was", after_run {
    shell = "for f in .orrery/runs/*/artifacts/notes.md; do echo x > $f; done; "
      .. "$orrery artifact export out && cat out/notes.md", stdout = "# notes.md" })
end)
