-- cache.get_or_compute among threads and processes: once, whoever asks, whoever dies.
local cli = require("tests.cli.harness")

-- Computes slowly, leaving a line in 'ran' each time.
local COMPUTE = [[
local cache = require("orrery.cache")
local function slow(p)
  local f = assert(io.open("ran", "a"))
  f:write("x\n")
  f:close()
  os.execute("sleep 0.2")
  return "value of " .. p.n
end
]]

local function ran(dir) return select(2, (cli.read(dir .. "/ran") or ""):gsub("x", "")) end

describe("a value that is computed once", function()
  it("is so among the threads of a process", cli.run {
    files = { ["a.lua"] = [[
      local pool = require("orrery.pool")
      local got = pool.map({ 1, 2, 3, 4, 5, 6 }, function()
        local cache = require("orrery.cache")
        return (cache.get_or_compute("slow", { n = 1 }, function(p)
          local f = assert(io.open("ran", "a"))
          f:write("x\n")
          f:close()
          local n = 0
          for i = 1, 3000000 do n = n + i end
          return n + p.n
        end, { version = 1 }))
      end)
      for i = 2, #got do assert(got[i] == got[1]) end
      print(#got, got[1])
    ]] }, args = "lua a.lua", stdout = "6\t4500001500001", after = function(dir)
      assert.equal(1, ran(dir))
    end })

  it("is so among processes, with tables in any order", cli.run {
    files = { ["a.lua"] = COMPUTE .. [[
      print(cache.get_or_compute("slow", { n = 1, z = 2, k = { a = 1, b = 2 } }, slow)) ]],
      ["b.lua"] = COMPUTE .. [[
      print(cache.get_or_compute("slow", { k = { b = 2, a = 1 }, z = 2, n = 1 }, slow)) ]] },
    shell = [[for i in 1 2 3 4; do
        f=a; test $i -gt 2 && f=b; timeout 60 $orrery lua $f.lua > out.$i &
      done; wait
      cat out.*; $orrery lua a.lua]],
    stdout = { "value of 1\tfalse", "value of 1\ttrue" },
    after = function(dir) assert.equal(1, ran(dir)) end })

  it("is left to the others when who computed it is killed", cli.run {
    files = { ["hang.lua"] = [[
      local cache = require("orrery.cache")
      cache.get_or_compute("v", 1, function()
        io.open("started", "w"):close()
        require("orrery.loop_forever_" .. 1)
      end, { version = 1 })
    ]], ["dies.lua"] = [[
      local cache, proc = require("orrery.cache"), require("orrery.proc")
      cache.get_or_compute("v", 1, function()
        io.open("started", "w"):close()
        proc.run({ "sleep", "60" })
      end, { version = 1 })
    ]], ["next.lua"] = [[
      print(require("orrery.cache").get_or_compute("v", 1, function() return "mine" end, { version = 1 })) ]] },
    shell = [[timeout 60 $orrery lua dies.lua & t=$!
      n=0; until test -e started || test $n -ge 200; do n=$((n+1)); sleep 0.05; done
      pid=$(cat /proc/$t/task/$t/children); kill -9 $pid; timeout 20 $orrery lua next.lua
      rm started; $orrery lua hang.lua 2>&1; $orrery lua next.lua]],
    stdout = { "mine\tfalse", "mine\ttrue" } })

  it("is forgotten when it expired, and removed when the cache is opened next", cli.run {
    files = { ["put.lua"] = [[
      local cache = require("orrery.cache")
      for i = 1, 5 do cache.put("v", i, i, { ttl = 0.001 }) end
      cache.put("v", "stays", 1) ]],
      ["look.lua"] = [[
      local cache = require("orrery.cache")
      assert(cache.get("v", 1) == nil and cache.get("v", "stays") == 1) ]] },
    shell = "$orrery lua put.lua; $orrery lua look.lua; $orrery cache list --json",
    after = function(_, r)
      local rows = require("orrery.core.json").decode(r.stdout)
      assert.equal(1, #rows)
      assert.equal("value:v", rows[1].step)
    end })

  it("lies with what steps left: stats, list and clear see both", cli.run {
    files = { ["a.lua"] = 'require("orrery.cache").put("page", 1, "text")',
      ["workflows/w.lua"] = [[local o = require("orrery")
        return o.workflow "w" { o.step "s" { run = "true", inputs = {} } }]] },
    shell = "$orrery lua a.lua; $orrery run w -q; $orrery cache; $orrery cache list; $orrery cache clear",
    stdout = { "value:page", "memo", "w", "removed" } })
end)
