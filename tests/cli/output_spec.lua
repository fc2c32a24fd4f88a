-- What becomes of what is written: full disks, durable runs, the HTML report.
local harness = require("tests.cli.harness")
local run = harness.run

local W = [[
local o = require("orrery")
return o.workflow "w" { o.step "a" { run = "echo hi", inputs = {} } }]]

describe("a standard output that is full", function()
  it("is an error of every command, said once", run { files = { ["workflows/w.lua"] = W },
    shell = [[
      for c in version list "show w" "check w" "plan w" "run w" "run w --json" "help run"; do
        $orrery $c >/dev/full 2>err; code=$?
        [ $code = 1 ] || { echo "$c: exit $code"; cat err; }
        [ "$(grep -c 'standard output: No space left on device' err)" = 1 ] || cat err
      done; echo done]],
    after = function(_, r) assert.equal("done\n", r.stdout) end })

  it("does not stop a run, whose steps are done", run { files = { ["workflows/w.lua"] = W },
    shell = "$orrery run w > /dev/full; $orrery run w",
    stderr = "standard output: No space left on device", stdout = "everything" })

  it("is named once when it is the file of --events", run { files = { ["workflows/w.lua"] = W },
    shell = "$orrery run w --events /dev/full 2>err; grep -c 'events: No space' err",
    stdout = { "ok         a", "\n1\n" } })

  it("leaves a failure its own code", run { files = { ["workflows/w.lua"] = W },
    shell = "$orrery show nothing > /dev/full", code = 2 })

  it("is not the reader that went away", run { files = { ["workflows/w.lua"] = W },
    shell = "$orrery help run | true; $orrery list | head -1 >/dev/null; echo fine",
    stdout = "fine", stderr = "!error" })
end)

describe("--durable", function()
  local function calls(flags)
    return ("strace -f -e trace=fdatasync,fsync,syncfs -o trace $orrery run w %s >out 2>&1; "
      .. "grep -c 'fdatasync(' trace; grep -c 'syncfs(' trace"):format(flags)
  end

  it("runs as ever and keeps the same journal", run { files = { ["workflows/w.lua"] = W },
    args = "run w --durable", stdout = "ok         a", again = { args = "run w --durable",
      stdout = "everything up to date", again = { args = "log a", stdout = "hi" } } })

  it("syncs the journal and the cache, which other runs do not", function()
    if not os.execute("command -v strace >/dev/null 2>&1") then
      return pending("strace is not installed")
    end
    run { files = { ["workflows/w.lua"] = W }, shell = calls("--durable") .. "; true",
      after = function(_, r)
        local data, fs = r.stdout:match("(%d+)\n(%d+)\n")
        assert.is_true(tonumber(data) > 0 and tonumber(fs) > 0, r.stdout)
      end, again = { shell = calls("--force") .. "; true", stdout = "0\n0\n" } }()
  end)
end)

describe("--report", function()
  local HOSTILE = [[
local o = require("orrery")
return o.workflow "<i>w" {
  o.step "a&b" { run = { "printf", "</pre><script>alert(1)</script>\\377\\033[31m" },
    inputs = {} },
  o.step "'x\"" { needs = "a&b", run = "echo '<b>last words</b>'; exit 3" },
  o.step "never" { needs = "'x\"", run = "true" },
}]]

  it("is one page with every step, its reason and its last words, all escaped", run {
    files = { ["workflows/w.lua"] = HOSTILE }, args = "run w --report out/r.html", code = 1,
    after = function(dir)
      local page = harness.read(dir .. "/out/r.html")
      for _, want in ipairs({ "<!doctype html>", "<title>&lt;i&gt;w: failed</title>", "<svg",
        "a&amp;b", "&#39;x&quot;", "&lt;/pre&gt;&lt;script&gt;alert(1)", "\u{FFFD}", "first run",
        "&lt;b&gt;last words&lt;/b&gt;", "exit 3", "did not succeed" }) do
        assert.truthy(page:find(want, 1, true), want .. " is missing in\n" .. page)
      end
      for _, bad in ipairs({ "<script", "<b>", "<i>", "http:", "https:", "src=", "href=", "\27" }) do
        assert.is_nil(page:find(bad, 1, true), bad)
      end
      assert.truthy(utf8.len(page))
    end })

  it("is made of an earlier run, and of one in which nothing changed", run {
    files = { ["workflows/w.lua"] = W }, args = "run w",
    again = { args = "runs show last --report r.html", after = function(dir)
      local page = harness.read(dir .. "/r.html")
      assert.truthy(page:find("<pre>hi</pre>", 1, true))
      assert.truthy(page:find("first run", 1, true))
    end, again = { args = "run w --report r.html", after = function(dir)
      assert.truthy(harness.read(dir .. "/r.html"):find("No step had to run", 1, true))
    end } } })

  it("says what a run was narrowed to", run { files = { ["workflows/w.lua"] = W },
    shell = "echo workflows/w.lua | $orrery run w --affected=- --report r.html",
    after = function(dir)
      assert.truthy(harness.read(dir .. "/r.html"):find("1 affected step, a list of files", 1,
        true))
    end })
end)
