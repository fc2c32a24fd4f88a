-- A run carried to another machine: another folder, with the same workflow and no cache.
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")
local workflow = cli.workflow

local function counts(dir, want)
  for path, n in pairs(want) do
    assert.equal(n, runs.lines(dir, path), "lines of " .. path)
  end
end

local flow = workflow [[ secrets = { "TOKEN" },
  o.step "plan" { run = "echo p >> planned; echo add 2 > tf.plan; echo $TOKEN", outputs = { "tf.plan" } },
  o.step "pure" { run = "echo u >> purely; echo pure > pure.txt", inputs = {}, outputs = { "pure.txt" } },
  o.step "count" { call = function()
    local f = assert(io.open("counted", "a")) f:write("c\n") f:close()
    return 42
  end },
  o.step "write" { agent = "writer", prompt = "w", outputs = { "report.md" } },
  o.step "cached" { agent = "reader", prompt = "r", inputs = {}, outputs = { "cached.md" } },
  o.step "ship" { needs = { "plan", "write", "cached", "count", "pure" }, approve = "Ship?", show = "tf.plan" },
  o.step "apply" { needs = "ship",
    run = "cat tf.plan report.md cached.md pure.txt > applied; echo {{results.count.value}} {{results.write.value}} >> applied" },
]]
local agent = [[#!/bin/sh
doc=$(cat); role=$(echo "$doc" | sed -E 's/.*"role": ?"([a-z]*)".*/\1/'); echo c >> calls-$role
if [ $role = writer ]; then echo report > report.md; else echo cached > cached.md; fi
echo '{"status":"ok","value":"said"}'
]]
local files = { ["here/workflows/w.lua"] = flow, ["there/workflows/w.lua"] = flow,
  ["here/ag.sh"] = agent, ["there/ag.sh"] = agent }

local inner = workflow([[ params = { n = "1" },
  o.step "x" { run = "echo x >> ran-x; echo {{params.n}} > x.txt", inputs = {}, outputs = { "x.txt" } },
  o.step "in" { after = "x", workflow = "deep" }, ]]):gsub('"w"', '"inner"', 1)
local deep = workflow([[ o.step "y" { run = "cat src > y.txt; echo y >> ran-y", inputs = { "src" },
  outputs = { "y.txt" } }, ]]):gsub('"w"', '"deep"', 1)
local outer = workflow [[ o.step "sub" { workflow = "inner", with = { n = "5" } },
  o.step "b" { after = "sub", body = function(w) w:workflow("inner", { with = { n = "5" } }) end },
  o.step "ok" { needs = { "sub", "b" }, approve = "go?" }, ]]
local nested = {}
for _, at in ipairs { "here", "there" } do
  nested[at .. "/workflows/w.lua"], nested[at .. "/src"] = outer, "s\n"
  nested[at .. "/workflows/inner.lua"], nested[at .. "/workflows/deep.lua"] = inner, deep
end

-- In 'here' the run waits and is exported; then a shell goes on.
local function carried(after)
  return ([[TOKEN=hush-4711; export TOKEN; cd here
    $orrery run w -q --agent ./ag.sh >/dev/null; test $? = 8 || exit 90
    $orrery runs export last -o ../run.tar || exit 91
    cd ../there; %s]]):format(after)
end

describe("an exported run", function()
  it("goes on elsewhere after approve, and makes no finished call again", cli.run { files = files,
    shell = carried [[id=$($orrery runs import ../run.tar) && $orrery approve "$id" ship --by ci &&
      $orrery resume "$id" --agent ./ag.sh]], stdout = { "restored   write", "approved by ci" },
    after = function(dir)
      counts(dir .. "/there", { planned = 0, purely = 0, counted = 0, ["calls-writer"] = 0,
        ["calls-reader"] = 0 })
      assert.equal("add 2\nreport\ncached\npure\n42 said\n", cli.read(dir .. "/there/applied"))
    end })

  it("takes along what was only restored or in place here", cli.run { files = files,
    shell = "cd here; $orrery run w -q -y --agent ./ag.sh >/dev/null; cd ..;" .. carried [[
      id=$($orrery runs import ../run.tar) && $orrery approve && $orrery resume --agent ./ag.sh]],
    after = function(dir)
      counts(dir .. "/there", { planned = 0, purely = 0, counted = 0, ["calls-writer"] = 0,
        ["calls-reader"] = 0 })
      assert.equal("add 2\nreport\ncached\npure\n42 said\n", cli.read(dir .. "/there/applied"))
    end })

  it("takes along what was in place within other workflows", cli.run { files = nested,
    shell = [[cd here; $orrery run w -q; test $? = 8 && $orrery run w -q; test $? = 8 || exit 90
      $orrery runs export last -o ../run.tar && cd ../there && id=$($orrery runs import ../run.tar) || exit 91
      $orrery approve "$id" ok && $orrery resume "$id"]],
    stdout = { "restored   sub/x", "restored   sub/in/y", "restored   b/workflow:inner/x" },
    after = function(dir)
      counts(dir .. "/there", { ["ran-x"] = 0, ["ran-y"] = 0 })
      assert.equal("5\n", cli.read(dir .. "/there/x.txt"))
    end })

  it("can be looked at there, logs and all, and is the same when imported twice", cli.run {
    files = files, shell = carried [[$orrery runs import ../run.tar; $orrery runs import ../run.tar
      $orrery runs; $orrery runs show; $orrery log plan]], stdout = { "waiting", "ship: Ship?", "***" } })

  it("has no secret in it", cli.run { files = files,
    shell = carried "! grep -c hush-4711 ../run.tar && tar tf ../run.tar", stdout = "manifest.json" })

  it("that went on with others brings them along, decisions too", cli.run { files = files,
    shell = carried [[cd ../here; $orrery resume -q --agent ./ag.sh >/dev/null; $orrery approve
      $orrery runs export last ../second.tar && cd ../there && $orrery runs import ../second.tar &&
      $orrery resume --agent ./ag.sh]], stdout = "ok         apply",
    after = function(dir) counts(dir .. "/there", { ["calls-writer"] = 0, planned = 0 }) end })

  it("says what is lost", cli.run { files = files, shell = carried
    "cd ../here; echo other > tf.plan; $orrery runs export last x.tar", stderr = "stay behind" })

  it("is a clear error when there is no such run, or no file", cli.run { files = files,
    shell = "cd here; $orrery runs export; echo $?; $orrery runs import no.tar; echo $?; $orrery runs import; echo $?",
    stdout = "2\n2\n2\n", stderr = { "there is no run", "there is no file 'no.tar'", "needs a file" } })
end)

describe("import", function()
  -- What a shell does to run.tar is refused, and nothing is there afterwards.
  local function refuses(change, why)
    return cli.run { files = files, shell = carried(change .. [[
      $orrery runs import ../bad.tar; code=$?
      ls .orrery/runs 2>/dev/null; ls -d .orrery/import-* 2>/dev/null; exit $code]]), code = 5,
      stderr = why, after = function(_, r) assert.equal("", (r.stdout:gsub("[^\n]*run.tar: run[^\n]*\n", ""))) end }
  end

  it("refuses what is cut off", refuses("head -c 9000 ../run.tar > ../bad.tar;", "it is cut off"))
  it("refuses an empty file", refuses(": > ../bad.tar;", "it is no exported run"))
  it("refuses another file", refuses("echo hello > x; tar cf ../bad.tar x; rm x;", "it is no exported run"))
  it("refuses a short text", refuses("echo hello > ../bad.tar;", "it is no exported run"))
  it("refuses a text", refuses("seq 1 999 > ../bad.tar;", "it is no exported run"))
  it("refuses a changed manifest", refuses([[sed 's/journal/journax/' ../run.tar > ../bad.tar;]], "damaged"))
  it("refuses a changed byte of a blob", refuses(
    [[sed 's/approval_asked/approval_axked/' ../run.tar > ../bad.tar;]], "it is damaged: a file in it"))

  -- Packs what is in x/ again, with a seal that fits.
  local PACK = [[seal() { (cd x; printf %s "$(sha256sum manifest.json | cut -c1-64)" > seal
    tar --format=ustar --owner=0 --group=0 -cf ../../bad.tar manifest.json seal $(ls -d blobs/*)); rm -rf x; };
    mkdir x; tar xf ../run.tar -C x; ]]
  it("takes what tar packed again", cli.run { files = files,
    shell = carried(PACK .. "seal; $orrery runs import ../bad.tar; $orrery runs"), stdout = "waiting" })
  it("refuses a path that leaves the run", refuses(PACK
    .. [[sed -i 's#"registry.json"#"artifacts/../../../../x"#' x/manifest.json; seal;]], "which no run has"))
  it("refuses an absolute path", refuses(PACK
    .. [[sed -i 's#"registry.json"#"/tmp/x"#' x/manifest.json; seal;]], "which no run has"))
  it("refuses a run whose id is a path", refuses(PACK
    .. [[sed -i 's#"id": *"[^"]*"#"id": "../../x"#' x/manifest.json; seal;]], "a run without an id"))
  it("refuses a link among its files", refuses(PACK
    .. "ln -s /etc/passwd x/blobs/$(printf %064d 0); seal;", "which no exported run does"))
  it("refuses a missing blob", refuses(PACK .. "rm x/blobs/$(ls x/blobs | head -1); seal;", "is missing"))
  it("refuses a newer format", refuses(PACK
    .. [[sed -i 's/"v": *1,/"v": 2,/; s/"v": *1$/"v": 2/' x/manifest.json; seal;]], "it is of the format 2"))

  -- A journal that says something else, under its right digest.
  local function forged(edit)
    return PACK .. ([[j=$(grep -l run_started x/blobs/*); sed -i '%s' $j; d=$(sha256sum $j | cut -c1-64)
      old=${j##*/}; mv $j x/blobs/$d; s=$(stat -c %%s x/blobs/$d)
      sed -i "s/$old/$d/" x/manifest.json; seal;]]):format(edit)
  end
  it("refuses an output outside the root", refuses(forged('s#"path":"tf.plan"#"path":"../../x"#'),
    "an output outside the root"))
  it("refuses an absolute output", refuses(forged('s#"path":"tf.plan"#"path":"/etc/x"#'),
    "an output outside the root"))
  it("refuses an output in .git", refuses(forged('s#"path":"tf.plan"#"path":".git/hooks/x"#'),
    "an output outside the root"))
  it("refuses a link that leads out", refuses(forged('s#"path":"tf.plan"#"link":"../../etc","path":"tf.plan"#'),
    "an output outside the root"))
  it("refuses a log elsewhere", refuses(forged('s#"ev":"step_finished"#"ev":"step_finished","stdout_log":"../../../x"#'),
    "names a log elsewhere"))
  it("refuses another run of the same id", cli.run { files = files, shell = carried(
    "$orrery runs import ../run.tar >/dev/null; for f in .orrery/runs/*/journal.jsonl; do echo >> $f; done; "
    .. "$orrery runs import ../run.tar"), code = 5, stderr = "is here already, and is another" })
end)
