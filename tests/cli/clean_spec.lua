-- A run that is answered from what the last clean one rested on must say what the ordinary
-- path says: each change is made in two equal folders, of which one runs with
-- ORRERY_NO_PLAN=1.
local cli = require("tests.cli.harness")
local runs = require("tests.cli.runs")

local flow = [[
local o = require("orrery")
local fs = require("orrery.fs")
local names = require("names")
local extra = fs.exists("extra.txt") and "extra" or "plain"
return o.workflow "w" {
  params = { mode = "fast" },
  dotenv = { ".env" },
  o.step "gen" { run = "cat src/*.txt > mid.txt; echo " .. names.word .. extra .. #fs.glob("src/*"),
    inputs = { "src/*.txt" }, outputs = { "mid.txt" }, env = { "FLAVOR", "SECRETLESS" } },
  o.step "tool" { run = { "stamp", "{{params.mode}}" }, inputs = { "cfg" }, outputs = { "out/s.txt" } },
  o.step "deep" { run = "cat hdr.h mid.txt > out/d.txt; echo 'out/d.txt: hdr.h' > out/d.d",
    inputs = { "mid.txt" }, outputs = { "out/d.txt" }, depfile = "out/d.d" },
  o.step "link" { run = "ln -sf d.txt out/l", inputs = { "out/d.txt" }, outputs = { "out/l" } },
  o.step "judge" { run = "echo '{}'", parse = "json", inputs = {}, returns = "schema.json" },
}
]]

local files = {
  ["workflows/w.lua"] = flow, ["lua/names.lua"] = 'return { word = "made" }\n',
  ["src/a.txt"] = "a\n", ["src/b.txt"] = "b\n", ["cfg/one"] = "1\n", ["hdr.h"] = "h\n",
  ["bin/stamp"] = "#!/bin/sh\necho stamp $1 > out/s.txt\n", ["early/keep"] = "",
  [".env"] = "FLAVOR=sweet\n", ["schema.json"] = '{"type":"object"}\n', [".gitignore"] = "*.o\n",
}

local function env_of(dir, more)
  -- From a source tree nothing is answered so: the embedded one is what is tested.
  local env = { PATH = dir .. "/early:" .. dir .. "/bin:/usr/bin:/bin", ORRERY_LUA_DIR = "" }
  for k, v in pairs(more or {}) do env[k] = v end
  return env
end

-- The line that sums a run up ends with its times; a run of a second has them in other
-- units, and the critical path follows from them.
local function timeless(line)
  if line:find("^%d+ steps?: ") then return (line:gsub(" · .*$", "")) end
  return (line:gsub("%s+%d[%d%.]* m?s%f[%s\0]", ""))
end

-- What a run came to, without times and ids.
local function outcome(dir, args, env)
  local r = cli.exec(dir, "run w " .. (args or ""), { env = env_of(dir, env) })
  local out = {}
  for line in r.stdout:gmatch("[^\n]+") do
    out[#out + 1] = timeless((line:gsub(dir:gsub("%p", "%%%0"), "DIR")))
  end
  table.sort(out)
  return ("%d\n%s\n%s"):format(r.code, table.concat(out, "\n"), r.stderr)
end

-- Is the first run remembered?
local function remembered(dir, args, env)
  outcome(dir, args, env)
  return cli.exec(dir, "", { shell = "ls .orrery/plans/*.middle >/dev/null 2>&1" }).code == 0
end

-- A run from what is remembered writes the middle of that journal as it was.
local function is_fast(dir, args, env)
  local before = cli.exec(dir, "", { shell = "cat .orrery/plans/*.middle | sed -n 1p" }).stdout
  outcome(dir, args, env)
  local path = runs.last(dir).path
  return before ~= "" and cli.exec(dir, "", { shell = "sed -n 2p " .. path }).stdout == before
end

local function each_way(change)
  return function()
    cli.within(function(fast, slow)
      local no = { ORRERY_NO_PLAN = "1" }
      local args, env = change.args, change.env
      assert(remembered(fast, change.before, change.env_before), "never remembered")
      assert(is_fast(fast, change.before, change.env_before), "the remembered run was not used")
      outcome(slow, change.before, change.env_before)
      outcome(slow, change.before, change.env_before)
      for round = 1, 3 do
        if change.shell and round <= (change.rounds or 1) then
          for _, dir in ipairs({ fast, slow }) do
            local r = cli.exec(dir, "", { shell = "round=" .. round .. "; " .. change.shell })
            assert.equal(0, r.code, r.stderr)
          end
        end
        local slow_env = {}
        for k, v in pairs(env or {}) do slow_env[k] = v end
        for k, v in pairs(no) do slow_env[k] = v end
        local want, have = outcome(slow, args, slow_env), outcome(fast, args, env)
        assert.equal(want, have, "round " .. round)
        if round == 1 and not change.same then
          assert(not want:find("everything up to date", 1, true), "the change changes nothing")
        end
      end
    end, files, files)
  end
end

describe("a run in which nothing changed", function()
  it("is answered without loading the workflow, and recorded as any other", function()
    cli.within(function(dir)
      assert(remembered(dir))
      assert(is_fast(dir))
      local j = runs.last(dir)
      assert.equal("ok", j.run_finished.status)
      assert.equal(j.path:match("runs/([^/]+)/"), j.run_started.run)
      cli.check(cli.exec(dir, "artifact", {}), { stdout = { "mid.txt", "out/d.txt" } })
      cli.check(cli.exec(dir, "runs show", {}), { stdout = "5 steps: everything up to date" })
    end, files)
  end)

  it("gives the same document", function()
    cli.within(function(dir)
      assert(remembered(dir))
      local strip = [[ | sed -E 's/"(run|seconds|saved|wall)": .*//']]
      local line = "$orrery run w --json" .. strip
      local want = cli.exec(dir, "", { shell = line, env = env_of(dir, { ORRERY_NO_PLAN = "1" }) })
      local have = cli.exec(dir, "", { shell = line, env = env_of(dir) })
      assert.equal(want.stdout, have.stdout)
      assert.truthy(have.stdout:find('"cached": "clean"', 1, true))
    end, files)
  end)

  it("is not taken over from the folder that this one is a copy of", function()
    cli.within(function(dir, copy)
      assert(remembered(dir))
      local r = cli.exec(dir, "", { shell = "cp -a . " .. copy .. "; cd " .. copy
        .. "; echo x >> src/a.txt; $orrery run w", env = env_of(dir) })
      cli.check(r, { stdout = { "gen", "src/a.txt changed" } })
    end, files, {})
  end)

  local changes = {
    ["an input edited"] = { shell = "echo x >> src/a.txt" },
    ["an input edited to the same size, thrice"] = { shell = "printf '%s\\n' $round > src/a.txt",
      rounds = 3 },
    ["a file a glob finds"] = { shell = "echo c > src/c.txt" },
    ["a file a glob found removed"] = { shell = "rm src/b.txt" },
    ["a file renamed"] = { shell = "mv src/b.txt src/z.txt" },
    ["an execute bit"] = { shell = "chmod +x cfg/one" },
    ["an output deleted"] = { shell = "rm out/d.txt" },
    ["an output edited"] = { shell = "echo no > mid.txt" },
    ["a link led elsewhere"] = { shell = "ln -sfn nowhere out/l" },
    ["another environment"] = { env = { FLAVOR = "sour" }, env_before = { FLAVOR = "sweet" } },
    ["a variable that appears"] = { env = { SECRETLESS = "1" } },
    ["another param"] = { args = "-p mode=slow" },
    ["the workflow"] = { shell = "sed -i 's/\"made\"/made/; s/cat hdr.h/cat  hdr.h/' workflows/w.lua" },
    ["a module"] = { shell = "echo 'return { word = \"done\" }' > lua/names.lua" },
    ["a module that goes before"] = {
      shell = "mkdir -p lua/names; echo 'return { word = \"init\" }' > lua/names/init.lua;"
        .. "rm lua/names.lua" },
    ["orrery.lua appearing"] = { shell = "echo 'return { nonsense = 1 }' > orrery.lua" },
    ["a second file of the workflow's name"] = { shell = "echo 'steps: []' > workflows/w.yaml" },
    ["an ignore file"] = { shell = "mkdir .git; echo b.txt > .gitignore" },
    ["an ignore file in a directory"] = { shell = "mkdir .git; echo b.txt > src/.gitignore" },
    ["a header known from a dep file"] = { shell = "echo i > hdr.h" },
    ["a tool replaced"] = { shell = "echo '# new' >> bin/stamp" },
    ["an earlier program on PATH"] = { shell = "sed 's/stamp/other/' bin/stamp > early/stamp;"
      .. "sed -i 's/s.txt/s.txt #/' early/stamp; chmod +x early/stamp" },
    ["a dotenv file"] = { shell = "echo FLAVOR=bitter > .env" },
    ["a dotenv file removed"] = { shell = "rm .env" },
    ["a schema"] = { shell = "echo '{\"type\":\"object\",\"title\":\"x\"}' > schema.json" },
    ["a file tried in vain"] = { shell = "echo 1 > extra.txt" },
    ["a file in an input directory"] = { shell = "echo 2 > cfg/two" },
    ["an input directory that is a file now"] = { shell = "rm -r cfg; echo 3 > cfg" },
    ["the cache cleared"] = { shell = "$orrery cache clear" },
    ["the cache deleted"] = { shell = "rm -rf .orrery/cache" },
    ["the index deleted"] = { shell = "rm .orrery/index", same = true },
    ["the index damaged"] = { same = true,
      shell = "printf xxxx | dd of=.orrery/index bs=1 seek=3000 conv=notrunc 2>/dev/null" },
    ["its journal deleted"] = { shell = "rm -rf .orrery/plans", same = true },
    ["force"] = { args = "--force" },
    ["a step of it forced"] = { args = "--force=gen" },
    ["the cache off"] = { args = "--cache=off" },
    ["a step asked for"] = { args = "gen", same = true },
    ["nothing"] = { shell = "true", same = true },
    ["a file that nobody reads"] = { shell = "echo 1 > README", same = true },
    ["a touched input"] = { shell = "touch src/a.txt", same = true },
  }
  -- Edits of which any may come again, before or after any other.
  local edits = {
    "echo $round > src/a.txt", "echo $round > src/$round.txt", "rm -f src/[0-9]*.txt",
    "chmod u+x cfg/one", "chmod u-x cfg/one", "rm -f mid.txt", "echo $round > out/d.txt",
    "ln -sfn $round out/l", "echo $round > hdr.h", "echo FLAVOR=$round > .env", "rm -f .env",
    "echo 1 > extra.txt", "rm -f extra.txt", "rm -rf out", "touch cfg/one src/a.txt",
    "echo 'return { word = \"made\" }' > lua/names.lua", "echo \"# $round\" >> bin/stamp",
    "mkdir -p .git; echo \"$round.txt\" > src/.gitignore", "rm -rf .git", "cp cfg/one src/b.txt",
    "mv src/a.txt src/q.txt && mv src/q.txt src/a.txt", "true", "true",
  }

  it("follows any row of edits as the ordinary path does", function()
    local seed = tonumber(os.getenv("ORRERY_SEED") or "") or os.time()
    local next_edit = seed
    cli.within(function(fast, slow)
      for round = 1, 30 do
        next_edit = (next_edit * 1103515245 + 12345) % 2147483648
        local edit = edits[(next_edit >> 8) % #edits + 1]
        for _, dir in ipairs({ fast, slow }) do
          cli.exec(dir, "", { shell = "round=" .. round .. "; " .. edit })
        end
        for again = 1, 3 do
          local want = outcome(slow, "", { ORRERY_NO_PLAN = "1" })
          local have = outcome(fast)
          assert(want == have, ("seed %d, round %d.%d, after %s:\n%s\n--- but\n%s"):format(seed,
            round, again, edit, want, have))
        end
      end
    end, files, files)
  end)

  for name, change in require("orrery.kernel.sorted").pairs(changes) do
    it("does after a change what the ordinary path does: " .. name, each_way(change))
  end
end)
