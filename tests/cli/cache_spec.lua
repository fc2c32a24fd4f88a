-- The cache as people see it: modes, what a step says of it, bounds, place, the verbs.
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")
local run, workflow = cli.run, cli.workflow

local one = { ["workflows/w.lua"] = workflow [[
  o.step "a" { run = "cat in > out; echo ran", inputs = { "in" }, outputs = { "out" } } ]],
  ["in"] = "1\n" }

local big = { ["workflows/w.lua"] = workflow [[
  params = { n = 1 },
  o.step "a" { run = "head -c 60000 /dev/urandom > out; echo {{params.n}}", inputs = {}, outputs = { "out" } } ]] }

describe("the mode of the cache", function()
  it("wo writes and never reads", run { files = one, args = "run w --cache=wo", stdout = "ran",
    again = { args = "run w --cache=wo", stdout = "1 ran",
      again = { args = "run w", stdout = "up to date" } } })

  it("ro reads and never writes", run { files = one, args = "run w",
    again = { files = { ["in"] = "2\n" }, args = "run w --cache=ro", stdout = "1 ran",
      again = { files = { ["in"] = "1\n" }, args = "run w --cache=ro", stdout = "1 restored",
        again = { files = { ["in"] = "2\n" }, args = "run w", stdout = "1 ran" } } } })

  it("off does neither, and makes no cache", run { files = one,
    shell = "$orrery run w --cache=off && test ! -e .orrery/cache && $orrery run w",
    stdout = { "the cache is off", "1 ran" } })

  it("force runs all, or one, and stores what comes of it", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "date +%N > a.txt", inputs = {}, outputs = { "a.txt" } },
      o.step "b" { run = "date +%N > b.txt", inputs = {}, outputs = { "b.txt" } }, ]] },
    shell = [[$orrery run w -q; cp a.txt a1; cp b.txt b1
      $orrery run w --force=a; cmp b.txt b1 && ! cmp -s a.txt a1 || exit 9; cp a.txt a2
      rm a.txt; $orrery run w -q; cmp a.txt a2 || exit 8
      $orrery run w --force; ! cmp -s a.txt a2 && ! cmp -s b.txt b1]],
    stdout = { "1 up to date, 1 ran", "2 ran", "forced" } })

  it("is one of four words", run { files = one, args = "run w --cache=yes", code = 2,
    stderr = "rw" })
end)

describe("what a step says of the cache", function()
  it("false is never remembered, also when said for all", run {
    files = { ["workflows/w.lua"] = workflow [[ cache = false,
      o.step "a" { run = "true", inputs = {} },
      o.step "b" { run = "true", inputs = {}, cache = true } ]] }, args = "run w",
    again = { args = "run w", stdout = { "always (cache = false)", "1 up to date, 1 ran" } } })

  it("ttl lets a result expire, here and when said for all", run {
    files = { ["workflows/w.lua"] = workflow [[ cache = { ttl = 1e-6 },
      o.step "a" { run = "echo a", inputs = {} },
      o.step "b" { run = "echo b", inputs = {}, cache = { ttl = "1h" } } ]] }, args = "run w",
    again = { args = "run w", stdout = "1 up to date, 1 ran" } })

  it("scope keeps results of one name from those of another", run {
    files = { ["workflows/w.lua"] = workflow [[ params = { env = "dev" }, cache = { scope = "{{params.env}}" },
      o.step "a" { run = "echo ran", inputs = {} } ]] },
    args = "run w", stdout = "1 ran",
    again = { args = "run w -p env=prod", stdout = "1 ran",
      again = { args = "run w -p env=prod", stdout = "up to date",
        again = { args = "run w -p env=dev", stdout = "up to date" } } } })

  it("store = false keeps the fact, not the files", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "head -c 40000 /dev/zero > out", inputs = {}, outputs = { "out" }, cache = { store = false } } ]] },
    args = "run w", after = function(dir) assert.is_nil(cli.read(dir .. "/.orrery/cache/cas")) end,
    again = { args = "run w", stdout = "up to date",
      again = { shell = "find .orrery/cache/cas -type f 2>/dev/null; rm out; $orrery plan w; $orrery run w",
        stdout = { "out is no longer in the cache", "1 ran", "!/cas/" } } } })

  it("an unknown word is named", run { files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "x", inputs = {}, cache = { tll = 1 } } ]] }, args = "check", code = 3,
    stderr = { "unknown field 'tll' in cache", "did you mean 'ttl'?" } })
end)

describe("the bounds of the cache", function()
  it("are of orrery.lua, kept at the end of a run, and spare what that run used", run {
    files = { ["workflows/w.lua"] = big["workflows/w.lua"],
      ["orrery.lua"] = 'return { cache = { size = "100K" } }' },
    shell = [[for n in 1 2 3 4 5; do $orrery run w -q -p n=$n; done
      rm out; $orrery run w -p n=5; $orrery cache stats --json]],
    stdout = "1 restored",
    after = function(_, r)
      local s = json.decode(r.stdout:match("\n({.*)$") or r.stdout:match("({.*)$"))
      assert.is_true(s.bytes <= 100 * 1024, s.bytes)
    end })

  it("never take what the run itself made, though it is more than the bound", run {
    files = { ["workflows/w.lua"] = big["workflows/w.lua"],
      ["orrery.lua"] = 'return { cache = { size = "10K" } }' },
    args = "run w", again = { shell = "rm out; $orrery run w", stdout = "1 restored" } })

  it("that make no sense are refused with their place", run {
    files = { ["workflows/w.lua"] = one["workflows/w.lua"],
      ["orrery.lua"] = 'return {\n  cache = { size = "much", age = "old", sise = 1 } }' },
    args = "run w", code = 3,
    stderr = { "orrery.lua:", "'much' is no size; write 500M or 10G", "age", "unknown field 'sise'" } })
end)

describe("the place of the cache", function()
  it("is said by ORRERY_CACHE_DIR, then by orrery.lua", run {
    files = { ["workflows/w.lua"] = one["workflows/w.lua"], ["in"] = "1",
      ["orrery.lua"] = 'return { cache = { dir = "kept/here" } }' },
    shell = [[$orrery run w -q; test -d kept/here/seg && test ! -e .orrery/cache && $orrery run w
      ORRERY_CACHE_DIR=other $orrery run w --force -q && test -d other/seg && $orrery cache stats]],
    stdout = { "up to date", "/kept/here" } })

  local tree = [[git init -q main && cd main && git config user.email a@b && git config user.name n
    mkdir workflows && cat ../w.lua > workflows/w.lua && echo 1 > in && git add . && git commit -qm x
    git worktree add -q ../tree && cd .. ]]

  it("is shared by the worktrees of a repository", run {
    files = { ["w.lua"] = one["workflows/w.lua"] },
    shell = tree .. [[&& (cd main && $orrery run w -q) && cd tree && $orrery run w
      test ! -e .orrery/cache && git status --porcelain && git -C ../main status --porcelain]],
    stdout = { "1 restored", "!orrery" } })

  it("is shared by worktrees also when a linked one runs first", run {
    files = { ["w.lua"] = one["workflows/w.lua"] },
    shell = tree .. [[&& (cd tree && $orrery run w -q) && cd main && git status --porcelain && $orrery run w]],
    stdout = { "1 restored", "!orrery" } })

  it("is its own in a submodule, a bare repository's worktree, and a clone", run {
    files = { ["w.lua"] = one["workflows/w.lua"] },
    shell = tree .. [[&& git clone -q --bare main bare.git && git -C bare.git worktree add -q ../bt
      (cd bt && $orrery run w -q && test -d .orrery/cache)
      git clone -q main clone && cd clone && $orrery run w -q && test -d .orrery/cache]],
    after = function(dir) assert.is_nil(cli.read(dir .. "/bare.git/.orrery")) end })
end)

describe("orrery cache", function()
  it("list shows step, key, age, size and last use, by globs", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "test-a" { run = "echo 1 > a", inputs = {}, outputs = { "a" } },
      o.step "test-b" { run = "head -c 5000 /dev/zero > b", inputs = {}, outputs = { "b" } },
      o.step "build" { run = "true", inputs = {} } ]] }, args = "run w",
    again = { args = "cache list", stdout = { "STEP", "KEY", "AGE", "SIZE", "LAST USED", "build",
      "test-a", "just now", "today", "5.", "KiB" },
      again = { args = "cache list 'test-*'", stdout = { "test-a", "test-b", "!build" },
        again = { args = "cache list w/build --json", after = function(_, r)
          local rows = json.decode(r.stdout)
          assert.equal(1, #rows)
          assert.equal("build", rows[1].step)
          assert.equal("w", rows[1].workflow)
          assert.truthy(rows[1].key:find("^%x+$"))
          assert.is_true(rows[1].size > 0 and rows[1].created > 1e9 and rows[1].used > 1e9)
        end, again = { args = "cache list nothing", stdout = "no record fits",
          again = { args = "cache list --limit=1", stdout = { "build", "and 2 more", "!test-a" } } } } } } })

  it("verify exits 5 on damage, says what to do, and drops it", run { files = big,
    args = "run w", again = { args = "cache verify --json", stdout = '"ok": true',
      again = { shell = [[f=$(find .orrery/cache/cas -type f); chmod u+w $f
          printf X | dd of=$f conv=notrunc bs=1 seek=9 2>/dev/null; $orrery cache verify]],
        code = 5, stdout = { "1 damaged", "the next run does that work again" },
        again = { args = "cache verify", stdout = "0 damaged, 0 missing",
          again = { shell = "rm out; $orrery run w", stdout = "1 ran" } } } } })

  it("verify counts a file that is gone", run { files = big, args = "run w",
    again = { shell = "rm $(find .orrery/cache/cas -type f); $orrery cache verify", code = 5,
      stdout = "1 missing" } })

  for _, verb in ipairs({ "stats", "list", "verify", "prune", "clear", "doctor" }) do
    it(verb .. " answers in JSON, also when nothing ran, and makes no cache", run { files = one,
      args = "cache " .. verb .. " --json",
      after = function(dir, r)
        assert.is_table(json.decode(r.stdout))
        assert.is_nil(cli.read(dir .. "/.orrery/cache/lock"))
        assert.equal("", cli.exec(dir, "", { shell = "ls -d .orrery 2>/dev/null" }).stdout)
      end, again = { args = "run w", again = { args = "cache " .. verb .. " --json",
        after = function(_, r) assert.is_table(json.decode(r.stdout)) end } } })
  end

  it("takes no words it does not know", run { files = one, args = "cache lst", code = 2,
    stderr = { "cannot 'lst'", "did you mean 'list'?" },
    again = { args = "cache clear a", code = 2, stderr = "takes no 'a'" } })

  it("doctor tells what is never remembered, the hit rate, and why steps ran", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "cat in", inputs = { "in" } }, o.step "b" { run = "true" } ]], ["in"] = "1" },
    args = "run w", again = { files = { ["in"] = "2" }, args = "run w",
      again = { args = "cache doctor", stdout = { "declares no inputs", "w/b",
        "1 of 2 may be remembered", "0 % of 4 steps", "1 × in changed", "may be written",
        "file system", "reflink", "none is held" } } } })

  it("doctor names a place that cannot be used", run { files = { ["workflows/w.lua"] = one["workflows/w.lua"],
    ["orrery.lua"] = 'return { cache = { dir = "file" } }', file = "x" },
    args = "cache doctor", code = 1, stdout = { "bad", "is no directory" } })

  it("doctor tells that worktrees share it", run { files = { ["w.lua"] = one["workflows/w.lua"] },
    shell = [[git init -q main && cd main && git config user.email a@b && git config user.name n
      mkdir workflows && cat ../w.lua > workflows/w.lua && echo 1 > in && git add . && git commit -qm x
      git worktree add -q ../tree && cd ../tree && $orrery run w -q && $orrery cache doctor]],
    stdout = { "shared with the other worktrees", "with 1 worktree: tree" } })

  it("doctor notices a full cache and a clock that was set back", run {
    files = { ["workflows/w.lua"] = big["workflows/w.lua"],
      ["orrery.lua"] = 'return { cache = { size = "60K" } }' },
    args = "run w", again = { args = "cache doctor", stdout = { "nearly full", "cache = { size = … }" } } })
end)
