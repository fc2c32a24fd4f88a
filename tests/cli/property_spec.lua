-- The memo against the truth: random graphs, random edits, and after each `orrery run` the
-- same outputs as a run that remembers nothing makes in a copy.
--
-- ORRERY_PROPERTY_ROUNDS sets how many edits, ORRERY_PROPERTY_SEED repeats a failure.
local cli = require("tests.cli.harness")

local ROUNDS = tonumber(os.getenv("ORRERY_PROPERTY_ROUNDS")) or 30
local SEED = tonumber(os.getenv("ORRERY_PROPERTY_SEED")) or os.time()
local EDITS_A_GRAPH = 10
local SOURCES = 4

local function pick(list) return list[math.random(#list)] end

local function some(list, most)
  local out, seen = {}, {}
  for _ = 1, math.random(most) do
    local one = pick(list)
    if not seen[one] then
      seen[one] = true
      out[#out + 1] = one
    end
  end
  return out
end

-- What a step does with its inputs. Some lose content, so that early cutoff has its turn.
local RECIPES = {
  function(from, to) return ("cat %s > %s"):format(from, to) end,
  function(from, to) return ("cat %s | head -c 2 > %s"):format(from, to) end,
  function(from, to) return ("cat %s | wc -c > %s; echo said %s"):format(from, to, to) end,
  function(from, to) return ("cat %s > %s; chmod 755 %s"):format(from, to, to) end,
}

local function step(i, known)
  local out = ("out/%d"):format(i)
  local dir = math.random(5) == 1
  local from = some(known, 3)
  local run
  if dir then
    run = ("mkdir -p %s.d; for f in %s; do cp $f %s.d/$(head -c 3 $f | tr -dc a-z)x; done"):format(out,
      table.concat(from, " "), out)
    out = out .. ".d/"
  else
    run = pick(RECIPES)(table.concat(from, " "), out)
    known[#known + 1] = out
  end
  local inputs = {}
  for n, path in ipairs(from) do inputs[n] = ("%q"):format(path) end
  if math.random(4) == 1 then inputs[#inputs + 1] = '"src/*"' end
  return ('  o.step "s%d" { run = %q, inputs = { %s }, outputs = { %q } },'):format(i, run,
    table.concat(inputs, ", "), out)
end

local function graph()
  local known, lines = {}, { 'local o = require("orrery")', 'return o.workflow "w" {' }
  for i = 1, SOURCES do known[i] = "src/" .. i end
  for i = 1, math.random(4, 9) do lines[#lines + 1] = step(i, known) end
  lines[#lines + 1] = "}\n"
  return table.concat(lines, "\n")
end

local function word() return ("%s%s\n"):format(pick({ "a", "b", "c" }), pick({ "a", "b", "cd" })) end

local function new(dir, history)
  local text = graph()
  cli.write(dir .. "/workflows/w.lua", text)
  for i = 1, SOURCES do cli.write(dir .. "/src/" .. i, word()) end
  history[#history + 1] = text
end

local function sh(dir, line)
  assert(os.execute(("cd %s && { %s; }"):format(cli.quote(dir), line)), line)
end

-- One edit, as people make them; says what it was.
local EDITS = {
  function(dir)
    local path, text = "src/" .. math.random(SOURCES), word()
    cli.write(dir .. "/" .. path, text)
    return path .. " := " .. text
  end,
  function(dir) -- another text of the same size
    local path = ("%s/src/%d"):format(dir, math.random(SOURCES))
    local text = cli.read(path):gsub("^.", function(c) return c == "a" and "b" or "a" end)
    cli.write(path, text)
    return path .. " := " .. text
  end,
  function(dir)
    sh(dir, "cp -r src src.kept")
    return "keep src"
  end,
  function(dir)
    sh(dir, "if test -d src.kept; then rm -r src; mv src.kept src; fi")
    return "back to the kept src"
  end,
  function(dir)
    sh(dir, "rm -rf out")
    return "remove out"
  end,
  function(dir)
    sh(dir, "f=$(find out -type f 2>/dev/null | sort | head -1); if test -n \"$f\"; then rm $f; fi")
    return "remove one output"
  end,
  function(dir)
    sh(dir, "f=$(find out -type f 2>/dev/null | sort | tail -1); if test -n \"$f\"; then echo by hand > $f; fi")
    return "edit one output"
  end,
  function(dir)
    sh(dir, "find src out -type f 2>/dev/null | xargs touch")
    return "touch everything"
  end,
  function(dir)
    local path = "src/" .. pick({ "x", "y" })
    if cli.read(dir .. "/" .. path) then os.remove(dir .. "/" .. path)
    else cli.write(dir .. "/" .. path, word()) end
    return "add or remove " .. path
  end,
  function(dir)
    sh(dir, "rm -f .orrery/index")
    return "lose the index"
  end,
}

-- Every declared output, as names, modes and bytes.
local function outputs(dir)
  local p <close> = assert(io.popen(("cd %s && find out -type f -printf '%%m %%p ' -exec cat {} ';' | sort"
    ):format(cli.quote(dir))))
  return p:read("a")
end

local function told(r) return ("exit %d\n%s%s"):format(r.code, r.stdout, r.stderr) end

-- The truth: all of it, from the sources alone, in another folder.
local function truth(dir)
  local copy = cli.folder()
  sh(copy, ("cp -r %s/src %s/workflows ."):format(cli.quote(dir), cli.quote(dir)))
  local r = cli.exec(copy, "run w --cache=off")
  local got = outputs(copy)
  cli.remove(copy)
  assert(r.code == 0, told(r))
  return got
end

local function round(dir, history)
  local r = cli.exec(dir, "run w")
  local want = truth(dir)
  assert(r.code == 0, told(r))
  local have = outputs(dir)
  if have ~= want then error(("outputs differ\n--- have\n%s--- want\n%s--- %s"):format(have, want, told(r)), 0) end
  local again = cli.exec(dir, "run w")
  assert(again.stdout:find("everything up to date", 1, true), told(again))
  history[#history + 1] = "run: " .. r.stdout
end

describe("after any edit", function()
  it(("a run leaves what a run without memory makes (seed %d, %d rounds)"):format(SEED, ROUNDS), function()
    math.randomseed(SEED)
    local dir, history = nil, {}
    local ok, why = pcall(function()
      for i = 0, ROUNDS - 1 do
        if i % EDITS_A_GRAPH == 0 then
          if dir then cli.remove(dir) end
          dir, history = cli.folder(), {}
          new(dir, history)
        elseif math.random(8) == 1 then
          local text = graph() -- the workflow is rewritten; what it made stays where it is
          sh(dir, "rm -rf out")
          cli.write(dir .. "/workflows/w.lua", text)
          history[#history + 1] = text
        else
          history[#history + 1] = pick(EDITS)(dir)
        end
        round(dir, history)
      end
    end)
    if dir then cli.remove(dir) end
    if not ok then
      error(("ORRERY_PROPERTY_SEED=%d\n%s\n%s"):format(SEED, table.concat(history, "\n"), tostring(why)), 0)
    end
  end)
end)
