-- What counts as an input, and how results are put back: the real binary in a folder.
local cli = require("tests.cli.harness")
local run, workflow = cli.run, cli.workflow

describe("an input", function()
  it("that is missing is a fact in the key: when it appears, the step runs", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "cat maybe 2>/dev/null || echo none", inputs = { "maybe" } } ]] },
    args = "run w", stdout = "none",
    again = { args = "run w", stdout = "up to date",
      again = { files = { maybe = "there\n" }, args = "run w", stdout = { "there", "1 ran" },
        again = { shell = "rm maybe; $orrery run w", stdout = { "up to date", "!1 ran" } } } } })

  it("that is a directory is all in it, and ignored files are not", run {
    files = { ["workflows/w.lua"] = workflow [[ o.step "a" { run = "ls src", inputs = { "src/" } } ]],
      ["src/a"] = "1", [".gitignore"] = "*.tmp\n" },
    args = "run w", again = { files = { ["src/x.tmp"] = "1" }, args = "run w", stdout = "up to date",
      again = { files = { ["src/deep/b"] = "1" }, args = "run w", stdout = "src/deep/b",
        again = { files = { [".gitignore"] = "" }, args = "run w", stdout = "src/x.tmp" } } } })

  it("is a header that a compiler's dep file names, with blanks in its name", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "cc" { run = "cc -MD -MP -MF o.d -c a.c -o a.o", inputs = { "a.c" }, outputs = { "a.o" }, depfile = "o.d" } ]],
      ["a.c"] = '#include "my h.h"\nint x = N;\n', ["my h.h"] = "#define N 1\n" },
    args = "run w", again = { args = "run w", stdout = "up to date",
      again = { files = { ["my h.h"] = "#define N 2\n" }, args = "run w", stdout = { "my h.h changed", "1 ran" },
        again = { files = { ["my h.h"] = "#define N 1\n" }, args = "run w", stdout = "1 restored" } } } })

  it("is a program that tools names, by its digest and not by its time", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "sh -c 'bin/gen | cat'", inputs = {}, tools = { "bin/gen" } } ]],
      ["bin/gen"] = "#!/bin/sh\necho one\n" },
    args = "run w", stdout = "one", again = { shell = "touch bin/gen; $orrery run w", stdout = "up to date",
      again = { files = { ["bin/gen"] = "#!/bin/sh\necho two\n" }, args = "run w", stdout = { "two", "1 ran" } } } })

  it("is a variable of a dotenv file that is listed; the others are not", run {
    files = { ["workflows/w.lua"] = workflow [[ dotenv = ".env",
      o.step "a" { run = "echo is $A", inputs = {}, env = { "A" } } ]], [".env"] = "A=1\nB=1\n" },
    args = "run w", stdout = "is 1",
    again = { files = { [".env"] = "A=1\nB=2\n" }, args = "run w", stdout = "up to date",
      again = { files = { [".env"] = "A=3\n" }, args = "run w", stdout = "is 3" } } })

  it("that moves while the step runs leaves the result unstored, also a header", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "cat h.h > out; echo 'out: h.h' > o.d; sleep 0.05; echo more >> h.h",
        inputs = {}, outputs = { "out" }, depfile = "o.d" } ]],
      ["h.h"] = "1\n" },
    args = "run w", stderr = "h.h changed while it ran; the result stands, but is not remembered",
    after = function(dir) assert.equal("1\n", cli.read(dir .. "/out")) end,
    again = { args = "run w", stdout = "1 ran" } })
end)

describe("early cutoff", function()
  it("by value: what normalize drops, and the order of keys, wakes nobody", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "gen" { run = "cat data.json", inputs = { "data.json" }, parse = "json",
        normalize = function(v) return { list = v.list } end },
      o.step "use" { run = "echo used {{results.gen.value.list}}", needs = "gen", inputs = {},
        with = { n = "x" } } ]],
      ["data.json"] = '{"list": [1, 2], "at": 111}' },
    args = "run w",
    again = { files = { ["data.json"] = '{"at": 222, "list": [1, 2]}' }, args = "run w",
      stdout = { "1 ran", "1 up to date" },
      again = { files = { ["data.json"] = '{"at": 222, "list": [1, 3]}' }, args = "run w", stdout = "2 ran" } } })
end)

describe("what is put back", function()
  it("is exact under any umask: bytes, bits, symlinks, logs, value", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = {"sh", "make.sh"}, inputs = {}, outputs = { "d/" } } ]],
      ["make.sh"] = "mkdir -p d; printf 'a\\0b' > d/bin; chmod 750 d/bin; : > d/empty; chmod 444 d/empty\n"
        .. "ln -s bin d/link; echo said; echo warned >&2\n" },
    args = "run w",
    again = { shell = [[rm -rf d; umask 077; $orrery run w
      stat -c '%a %s %n' d/bin d/empty; readlink d/link; od -c d/bin | head -1; $orrery log a]],
      stdout = { "1 restored", "said", "750 3 d/bin", "444 0 d/empty", "bin\n", "a  \\0   b" },
      stderr = "warned" } })

  it("is left alone where it is right: neither its time nor its inode moves", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "mkdir -p d; echo 1 > d/one; echo 2 > d/two", inputs = {}, outputs = { "d/" } } ]] },
    args = "run w",
    again = { shell = [[touch -d '2001-01-01' d/one; stat -c '%i %Y' d/one > before; rm d/two
      $orrery run w; stat -c '%i %Y' d/one | cmp - before && cat d/two]], stdout = { "1 restored", "2\n" } } })

  it("is never a hard link to the store, and leaves nothing behind", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "head -c 100000 /dev/zero > big", inputs = {}, outputs = { "big" } } ]] },
    args = "run w",
    again = { shell = [[rm big; $orrery run w -q; stat -c 'links %h' big; echo x >> big; rm big
      $orrery run w; find . -name '.orrery-*' -o -path './.orrery/tmp/*']],
      stdout = { "links 1", "1 restored", "!.orrery-", "!.orrery/tmp/" } } })
end)

describe("a hostile or broken record", function()
  -- Changes the record of the only step, keeping it a well-formed one.
  local EDIT = [[
    local store, pack = require("orrery.core.store"), require("orrery.core.pack")
    local s = assert(store.open(".orrery/cache"))
    local cursor, item, bytes = s:next(0)
    while cursor do
      if item.space == "memo" then
        local record = pack.decode(bytes)
        change(record, s)
        assert(s:put("memo", item.key, pack.encode(record)))
        break
      end
      cursor, item, bytes = s:next(cursor)
    end
    s:close()
  ]]
  local files = { ["sub/workflows/w.lua"] = workflow [[
    o.step "a" { run = "echo made > out", inputs = {}, outputs = { "out" } } ]], outside = "safe\n" }
  local function case(change, shell)
    return run { files = files, shell = ("cd sub && $orrery run w -q && cat > e.lua && "
      .. "$orrery lua e.lua && rm out && %s $orrery run w; cat ../outside"):format(shell or ""),
      stdin = "local function change(record, s)\n" .. change .. "\nend\n" .. EDIT,
      stdout = "safe", after = function(dir)
        assert.equal("safe\n", cli.read(dir .. "/outside"))
        assert.equal("made\n", cli.read(dir .. "/sub/out"))
        assert.is_nil(cli.read(dir .. "/evil"))
        assert.is_nil(cli.read("/tmp/orrery-evil"))
      end }
  end

  it("writes nothing above the root", case [[ record.outputs[1].path = "../outside" ]])
  it("writes nothing by an absolute path", case [[ record.outputs[1].path = "/tmp/orrery-evil" ]])
  it("writes nothing through a symlink out of the root", case([[ record.outputs[1].path = "link/outside" ]],
    "ln -s .. link &&"))
  it("makes no symlink out of the root by a path", case [[
    record.outputs[1] = { path = "../evil", link = "outside", mode = 511 } ]])
  it("with a digest of other bytes is a miss", case [[ record.outputs[1].digest = ("0"):rep(64) ]])
  it("with a path that is no text is a miss", case [[ record.outputs[1].path = 7 ]])
  it("without outputs where they are declared is a miss", case [[ record.outputs = nil ]])

  it("with a blob cut short is a miss", run {
    files = { ["workflows/w.lua"] = workflow [[
      o.step "a" { run = "head -c 90000 /dev/zero > out", inputs = {}, outputs = { "out" } } ]] },
    args = "run w", again = { shell = [[f=$(find .orrery/cache/cas -type f); chmod u+w $f; truncate -s 500 $f
      rm out; $orrery run w; stat -c %s out]], stdout = { "1 ran", "90000" } } })
end)
