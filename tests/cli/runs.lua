-- Help for tests of whole runs: starting some in the background, waiting for what their
-- steps write, and reading their journals.
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")

local runs = {}

--- Shell functions for a line of harness.run { shell = runs.SHELL .. "…" }.
---   start ARGS…   orrery in the background, its pid in $pid, its output in out.$pid
---   await FILE    until the file is there and not empty; gives up, exit 99, when it never is
---   gone PID      until that process has ended; gives up as well
--- Shells let background jobs ignore INT: `env` gives it back.
runs.SHELL = [[
start() { env --default-signal=INT,QUIT "$orrery" "$@" >out 2>err </dev/null & pid=$!; }
poll() {
  turn=0
  until eval "$1"; do
    turn=$((turn + 1))
    if [ $turn -gt 1500 ]; then echo "gave up waiting for: $1"; cat out err; exit 99; fi
    sleep 0.02
  done
}
await() { poll "test -s $1"; }
gone() { poll "! kill -0 $1 2>/dev/null"; }
]]

local function lines(command)
  local p <close> = assert(io.popen(command))
  local out = {}
  for line in p:lines() do out[#out + 1] = line end
  return out
end

-- The events of a journal file; every whole line must be JSON.
local function read(path)
  local j = { events = {}, path = path, torn = 0, steps = {}, began = {} }
  for line in (cli.read(path) or ""):gmatch("[^\n]+") do
    local ev = json.decode(line)
    if type(ev) == "table" and ev.ev then
      j.events[#j.events + 1] = ev
      if ev.ev == "step_finished" then j.steps[ev.id] = ev end
      if ev.ev == "step_started" then j.began[ev.id] = ev end
      if ev.ev == "run_started" or ev.ev == "run_finished" then j[ev.ev] = ev end
    else
      j.torn = j.torn + 1
    end
  end
  return j
end

--- The journals of a folder, the oldest first. Of each: events in order, run_started,
--- run_finished, by id the last step_started (began) and step_finished (steps), and how
--- many lines were torn.
---@param dir string
---@return table[]
function runs.journals(dir)
  local out = {}
  for i, path in ipairs(lines("ls " .. cli.quote(dir) .. "/.orrery/runs/*/journal.jsonl")) do
    out[i] = read(path)
  end
  table.sort(out, function(a, b)
    return (a.run_started and a.run_started.wall or 0) < (b.run_started and b.run_started.wall or 0)
  end)
  return out
end

--- The newest journal, with no torn line.
function runs.last(dir)
  local all = runs.journals(dir)
  local j = all[#all]
  assert(j and j.torn == 0, "a journal line is torn")
  return j
end

--- Ids of events of a kind, in order, joined by blanks.
---@param j table
---@param ev string
---@return string
function runs.order(j, ev)
  local ids = {}
  for _, e in ipairs(j.events) do
    if e.ev == ev then ids[#ids + 1] = e.id end
  end
  return table.concat(ids, " ")
end

--- The most attempts of these steps that ran at one moment.
---@param j table
---@param wanted? fun(id: string): boolean
---@return integer
function runs.most_at_once(j, wanted)
  local now, most = 0, 0
  for _, e in ipairs(j.events) do
    if e.id and (not wanted or wanted(e.id)) then
      if e.ev == "step_started" then now = now + 1 end
      if e.ev == "step_finished" and not e.cached then now = now - 1 end
      most = math.max(most, now)
    end
  end
  return most
end

--- A text file's lines as a count; 0 when it is not there.
---@param dir string
---@param path string
---@return integer
function runs.lines(dir, path)
  return select(2, (cli.read(dir .. "/" .. path) or ""):gsub("\n", ""))
end

return runs
