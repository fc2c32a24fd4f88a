-- Agents behind an OpenAI-compatible endpoint: what is asked, how answers become outputs, what
-- is tried again, and that the key is nowhere.
local chat = require("tests.cli.chat")
local cli = require("tests.cli.harness")
local json = require("orrery.core.json")
local runs = require("tests.cli.runs")

local DEV = 'dev = { http = { base_url = "URL", model = "m1", key = "KEY" } }'
local FAST = 'dev = { http = { base_url = "URL", model = "m1", '
  .. 'retry = { attempts = 3, delay = 0, on = { "rate_limit", "network", "timeout" } } } }'

local function ask(fields, more)
  return { ["workflows/a.lua"] = cli.workflow(('o.step "ask" { agent = "dev", %s },')
    :format(fields)), ["note.md"] = more or "the note\n" }
end

local function secret_is_nowhere(dir)
  local found = io.popen("cd " .. cli.quote(dir)
    .. " && grep -rl sk-very-secret . --exclude-dir=srv")
  assert.are.equal("", found:read("a"))
  found:close()
end

describe("orrery check", function()
  local files = ask('prompt = "x"')
  files["orrery.lua"] = "return { agents = { " .. DEV:gsub("URL", "https://ai.test/v1") .. " } }"
  local said = "note: the key for https://ai.test/v1 is in KEY, which is not set here; "
    .. "export KEY=…"
  it("notes that the variable of a key is not set", cli.run { files = files, code = 0,
    shell = "unset KEY; $orrery check a", stdout = "no errors", stderr = said })
  it("says nothing when it is", cli.run { files = files, code = 0,
    shell = "KEY=k $orrery check a", stdout = "no errors", stderr = "!note" })
end)

describe("an agent behind an endpoint", function()
  it("gets prompt, inputs and the form of its answer; its text is the file", chat.test {
    files = ask('prompt = "Sum it up", inputs = { "note.md" }, outputs = { "sum.txt" }'),
    answers = { default = chat.says("in short") }, agents = DEV, args = "run a",
    stdout = "ok         ask", after = function(dir)
      assert.are.equal("in short\n", cli.read(dir .. "/sum.txt"))
      local head, body = chat.request(dir, 1)
      assert.matches("^POST /v1/chat/completions HTTP", head)
      assert.matches("Authorization: Bearer sk%-very%-secret%-1\r\n", head)
      assert.are.equal("m1", body.model)
      assert.are.equal("system", body.messages[1].role)
      assert.matches("You are dev", body.messages[1].content, 1, true)
      assert.matches("written to the file sum.txt", body.messages[1].content, 1, true)
      assert.matches("^Sum it up\n", body.messages[2].content)
      assert.matches('<input name="note.md">\nthe note\n', body.messages[2].content, 1, true)
      assert.is_nil(body.stream)
      secret_is_nowhere(dir)
    end })

  it("is a function of its request: asked once, whatever the key", chat.test {
    files = ask('prompt = "Say it"'), answers = { default = chat.says("it") }, agents = DEV,
    shell = [["$orrery" run a && KEY=sk-another-one-2 "$orrery" run a && rm -rf .orrery/runs &&
      env -u KEY "$orrery" run a --json; "$orrery" show a ask]],
    stdout = { '"cached": "clean"', "remembered  yes" },
    after = function(dir) assert.are.equal(1, chat.requests(dir)) end })

  it("is asked again for another model, prompt or input", chat.test {
    files = ask('prompt = "Say it", inputs = { "note.md" }'),
    answers = { default = chat.says("it") }, agents = DEV,
    shell = [["$orrery" run a; echo more >> note.md; "$orrery" run a
      sed -i 's/"m1"/"m2"/' orrery.lua; "$orrery" run a
      sed -i 's/Say it/Sing it/' workflows/a.lua; "$orrery" run a; "$orrery" run a]],
    stdout = { "the agent's executor m1 at http", "→ m2 at http" }, after = function(dir)
      assert.are.equal(4, chat.requests(dir))
    end })

  it("is not asked again for another order of a table, ttl, key, price or retry", chat.test {
    files = ask('prompt = "x", with = { a = 1, b = { 2, 3 }, c = "z" }, cache = { ttl = "1h" }'),
    answers = { default = chat.says("it") }, agents = DEV,
    shell = [["$orrery" run a
      sed -i 's/a = 1, b = { 2, 3 }, c = "z"/c = "z", b = { 2, 3 }, a = 1/' workflows/a.lua
      "$orrery" run a; sed -i 's/1h/2h/' workflows/a.lua; "$orrery" run a
      sed -i 's/key = "KEY"/key = "KEY", stream = false, timeout = 60/' orrery.lua
      "$orrery" run a]], stdout = { "saved 1 agent call", "!another order" },
    after = function(dir) assert.are.equal(1, chat.requests(dir)) end })

  it("has fences taken off JSON, and is asked for it by the output's schema", chat.test {
    files = ask('outputs = { "r.json" }, gate = { schema = { ["r.json"] = "s.json" } }'),
    answers = { default = chat.says('```json\n{"score": 7}\n```') }, agents = DEV,
    shell = [[echo '{"type":"object","required":["score"]}' > s.json; "$orrery" run a]],
    after = function(dir)
      assert.are.equal('{"score": 7}\n', cli.read(dir .. "/r.json"))
      local _, body = chat.request(dir, 1)
      assert.are.equal("json_schema", body.response_format.type)
      assert.are.same({ "score" }, { table.unpack(
        body.response_format.json_schema.schema.required) })
    end })

  it("answers several outputs and a value in one document", chat.test {
    files = ask([[outputs = { "a.md", "b.json" }, returns = { type = "object",
      properties = { n = { type = "integer" } }, required = { "n" } }]]),
    answers = { default = chat.says({ files = { ["a.md"] = "# A", ["b.json"] = { x = 1 } },
      value = { n = 3 } }) }, agents = DEV, args = "run a --json", stdout = '"n": 3',
    after = function(dir)
      assert.are.equal("# A\n", cli.read(dir .. "/a.md"))
      assert.are.same({ x = 1 }, json.decode(cli.read(dir .. "/b.json")))
      local _, body = chat.request(dir, 1)
      local schema = body.response_format.json_schema.schema
      assert.are.equal("string", schema.properties.files.properties["a.md"].type)
      assert.are.equal("integer", schema.properties.value.properties.n.type)
    end })

  it("is told what was wrong with its answer, and mends it", chat.test {
    files = ask([[returns = { type = "object", required = { "n" } },
      retry = { attempts = 2, delay = 0 }]]),
    answers = { ["1"] = chat.says({ m = 1 }), ["2"] = chat.says({ n = 1 }) }, agents = DEV,
    args = "run a", stdout = "2 attempts", after = function(dir)
      local _, body = chat.request(dir, 2)
      assert.matches("An earlier attempt was refused", body.messages[2].content, 1, true)
      assert.matches("n", body.messages[2].content, 1, true)
    end })

  it("plays a step of the dialect: artifacts, reasoning, a directory, its gate", chat.test {
    files = { ["schemas/plan.json"] = '{"type":"object","required":["goal"]}',
      ["workflows/a.yaml"] = [[
retry_config: { max_attempts: 2, initial_delay_ms: 0, retryable_errors: [timeout] }
steps:
  - step: 1
    agent: dev
    description: Plan {{workflow_id}}.
    outputs: [plan.json, src, { reasoning: why/1.json }]
    validation: { schema: schemas/plan.json, gate: gates/1.json }
  - step: 2
    agent: dev
    inputs: [plan.json (from step 1), src (from step 1)]
    outputs: [report.md]
]] }, answers = {
      ["1"] = chat.says({ files = { ["plan.json"] = {}, src = { ["a/main.c"] = "int x;" },
        ["why/1.json"] = { why = "so" } } }),
      ["2"] = chat.says({ files = { ["plan.json"] = { goal = "peace" },
        src = { ["a/main.c"] = "int y;" }, ["why/1.json"] = { why = "so" } } }),
      ["3"] = chat.says("# Report") }, agents = DEV, args = "run a", after = function(dir)
      local _, again = chat.request(dir, 2)
      assert.matches("Mend this:\n%- .*goal", again.messages[2].content)
      local _, two = chat.request(dir, 3)
      assert.matches('<input name="plan.json">', two.messages[2].content, 1, true)
      assert.matches('<input name="src/a/main.c">\nint y;\n', two.messages[2].content, 1, true)
      assert.are.equal("passed", json.decode(cli.read(dir .. "/gates/1.json")).status)
    end, })

  it("whose output would lie elsewhere is refused", chat.test {
    files = { ["workflows/a.yaml"] = "steps:\n- step: 1\n  agent: dev\n  outputs: [src, x.json]\n" },
    answers = { default = chat.says({ files = { src = { ["../../../evil"] = "x" },
      ["x.json"] = {} } }) }, agents = DEV, args = "run a", code = 1,
    stderr = "'../../../evil' is no path of a text inside it" })

  it("shows a stream in the log while it comes", chat.test {
    files = ask('prompt = "Count", outputs = { "n.txt" }'),
    answers = { default = chat.streams({ "one ", "two\n", "PAUSE", "three" }) },
    agents = 'dev = { http = { base_url = "URL", model = "m1", stream = true } }',
    shell = [[start run a --output=live --events ev; poll 'grep -q "one two" out'
      test -e n.txt && exit 98; touch srv/go; wait $pid && cat n.txt out]],
    stdout = { "one two\nthree\n" }, after = function(dir)
      local _, body = chat.request(dir, 1)
      assert.is_true(body.stream)
      assert.is_true(body.stream_options.include_usage)
      assert.are.equal(7, runs.last(dir).steps.ask.usage.tokens_in)
    end })

  it("whose stream is cut off is asked again", chat.test {
    files = ask('prompt = "Count", outputs = { "n.txt" }'),
    answers = { ["1"] = chat.streams({ "one " }, ""), ["2"] = chat.streams({ "all" }) },
    agents = FAST:gsub("retry", "stream = true, retry"), args = "run a",
    stdout = "the stream was cut off before its end",
    after = function(dir) assert.are.equal("all\n", cli.read(dir .. "/n.txt")) end })

  it("that is busy is asked again when it says so", chat.test {
    files = ask('prompt = "x"'), answers = {
      ["1"] = chat.refuses(429, "slow down", "Retry-After: 0.3\r\n"),
      ["2"] = chat.refuses(429, "slow down", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        .. "Retry-After: Sun, 06 Nov 1994 08:49:38 GMT\r\n"), ["3"] = chat.says("ok") },
    agents = FAST, args = "run a", after = function(dir)
      local waits = {}
      for _, e in ipairs(runs.last(dir).events) do
        if e.ev == "step_retry" then waits[#waits + 1] = { e.class, e.delay } end
      end
      assert.are.same({ { "rate_limit", 0.3 }, { "rate_limit", 1 } }, waits)
    end })

  it("that wants to be left alone for a day is, and its fallback asked", chat.test {
    files = ask('prompt = "x"'), answers = { m2 = chat.says("at once"),
      m1 = chat.refuses(429, "enough", "Retry-After: 86400\r\n") },
    agents = FAST:gsub(" }$", ", fallback = 'two' }")
      .. ', two = { http = { base_url = "URL", model = "m2" } }',
    shell = [["$orrery" run a --timeout 1m && exec "$orrery" run a --force --agent two=false]], code = 1,
    stdout = { "two takes over", "at once" }, stderr = { "ask: exit 1 (2 attempts)" },
    after = function(dir) assert.are.equal(3, chat.requests(dir)) end })

  it("that wants to be left alone for a day says so where nobody takes over", chat.test {
    files = ask('prompt = "x"'), agents = FAST, args = "run a --timeout 1m", code = 1,
    answers = { m1 = chat.refuses(429, "enough", "Retry-After: 86400\r\n") },
    stderr = { "the service answered 429: enough", "the service asks to wait 1d" },
    after = function(dir) assert.are.equal(1, chat.requests(dir)) end })

  it("that fails for a moment is asked again, without words about it", chat.test {
    files = ask('prompt = "x"'), answers = { ["1"] = chat.refuses(500, "oops"), ["2"] = "",
      ["3"] = chat.says("ok") }, agents = FAST, args = "run a",
    stdout = { "the service answered 500: oops", "3 attempts" }, after = function(dir)
      local _, first = chat.request(dir, 1)
      local _, third = chat.request(dir, 3)
      assert.are.same(first.messages, third.messages)
    end })

  it("that cannot be reached fails as network", cli.run {
    files = { ["workflows/a.lua"] = cli.workflow('o.step "ask" { agent = "dev" },'),
      ["orrery.lua"] = [[return { agents = { dev = { http = { base_url = "http://127.0.0.1:1/v1",
        model = "m", retry = { attempts = 1 } } } } }]] }, args = "run a", code = 1,
    stderr = { "http://127.0.0.1:1/v1: ", "curl 7" }, after = function(dir)
      assert.are.equal("network", runs.last(dir).steps.ask.error.class)
    end })

  it("that does not answer in time is ended, curl too", chat.test {
    files = ask('prompt = "x", timeout = "300ms"'), answers = { default = "HOLD\n" },
    agents = FAST:gsub("attempts = 3", "attempts = 1"),
    shell = [["$orrery" run a; code=$?; await srv/gone; exit $code]], code = 1,
    stderr = "no answer within 0.3 s", after = function(dir)
      assert.are.equal("timeout", runs.last(dir).steps.ask.error.class)
    end })

  it("that is interrupted ends curl and leaves nothing behind", chat.test {
    files = ask('prompt = "x"'), answers = { default = "HOLD\n" }, agents = DEV,
    shell = [[start run a; poll 'test -e srv/requests/1'; tr '\0' ' ' < /proc/$pid/cmdline
      kill -INT $pid; wait $pid; code=$?; await srv/gone; ls .orrery/runs/*/ask-* 2>/dev/null
      exit $code]], code = 130, stdout = "!ask-", after = secret_is_nowhere })

  it("keeps its key out of the process list", chat.test {
    files = ask('prompt = "x"'), answers = { default = "PAUSE\n" .. chat.says("ok") },
    agents = DEV, shell = [[start run a; poll 'test -e srv/requests/1'; run=$(ls .orrery/runs)
      for p in /proc/[0-9]*; do
        tr '\0' '\n' < $p/environ 2>/dev/null | grep -q "^ORRERY_STEP=$run/" || continue
        tr '\0' ' ' < $p/cmdline; tr '\0' '\n' < $p/environ | grep "^KEY="
      done; touch srv/go; wait $pid]], stdout = { "curl -q -K -", "!sk-very", "!KEY=" } })

  for _, status in ipairs { 401, 403 } do
    it("that refuses the key with " .. status .. " is not asked again", chat.test {
      files = ask('prompt = "x", retry = { attempts = 3, delay = 0 }'),
      answers = { default = chat.refuses(status, "no such key sk-very-secret-1") }, agents = DEV,
      args = "run a", code = 1, stderr = ("the service refused the key in KEY (%d): no such key ***")
        :format(status), after = function(dir)
        assert.are.equal(1, chat.requests(dir))
        secret_is_nowhere(dir)
      end })
  end

  it("that refuses the request with 400 is not asked again", chat.test {
    files = ask('prompt = "x"'), answers = { default = chat.refuses(400, "no such model") },
    agents = DEV, args = "run a", code = 1, stderr = "the service answered 400: no such model",
    after = function(dir) assert.are.equal(1, chat.requests(dir)) end })

  it("whose key is not set is not asked at all; the variable is named", chat.test {
    files = ask('prompt = "x"'), answers = {}, agents = DEV, env = {}, args = "run a", code = 1,
    stderr = { "the environment variable KEY, which holds the key, is not set", "export KEY=" },
    after = function(dir) assert.are.equal(0, chat.requests(dir)) end })

  it("that answers nonsense is asked again, then failed", chat.test {
    files = ask('prompt = "x"'), answers = { default = "HTTP/1.1 200 OK\r\n\r\n{\"choices\": [" },
    agents = FAST, args = "run a", code = 1, stderr = "the answer is not JSON",
    after = function(dir) assert.are.equal(3, chat.requests(dir)) end })

  it("that answers 200 around an error of its upstream is asked again as that error says", chat.test {
    files = ask('prompt = "x"'), answers = {
      ["1"] = 'HTTP/1.1 200 OK\r\n\r\n{"error":{"code":429,"message":"busy"},"choices":null}',
      ["2"] = 'HTTP/1.1 200 OK\r\n\r\n{"error":{"code":401,"message":"no key"}}' },
    agents = FAST, args = "run a", code = 1, stdout = "the service answered 429: busy; again at once",
    stderr = "the service wants a key (401): no key", after = function(dir)
      assert.are.equal(2, chat.requests(dir))
    end })

  it("whose stream is damaged in the middle is asked again, however well it ends", chat.test {
    files = ask('prompt = "Count", outputs = { "n.txt" }'),
    answers = { ["1"] = chat.streams({ "one " }, 'data: {"choices":[{"de\n\n'
      .. 'data: {"choices":[{"delta":{"content":" three"},"finish_reason":"stop"}]}\n\n'
      .. "data: [DONE]\n\n"), ["2"] = chat.streams({ "all" }) },
    agents = FAST:gsub("retry", "stream = true, retry"), args = "run a",
    stdout = 'the stream is damaged: {"choices":[{"de', after = function(dir)
      assert.are.equal("all\n", cli.read(dir .. "/n.txt"))
    end })

  it("is not mistaken for the proxy before it", chat.test {
    files = ask('prompt = "x"'),
    answers = { default = "HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n" },
    agents = 'dev = { http = { base_url = "https://ai.test/v1", model = "m", '
      .. "retry = { attempts = 1 } } }",
    shell = 'https_proxy=http://127.0.0.1:$(cat srv/port) "$orrery" run a', code = 1,
    stderr = "CONNECT tunnel failed, response 407 (curl 56)" })

  it("that answers without end is cut", chat.test {
    files = ask('prompt = "x"'), answers = {
      default = "HTTP/1.1 200 OK\r\n\r\n" .. ("x"):rep(17 * 1024 * 1024) },
    agents = FAST, args = "run a", code = 1, stderr = "the answer is too large to be one",
    after = function(dir) assert.are.equal(1, chat.requests(dir)) end })

  it("that stopped at its limit of tokens says so", chat.test {
    files = ask('prompt = "x"'), answers = { default = chat.says("half", { finish = "length" }) },
    agents = DEV, args = "run a", code = 1, stderr = "cut off at the limit of its tokens" })

  it("sees a large input cut, with a note, and no bytes that are not text", chat.test {
    files = ask('prompt = "x", inputs = { "note.md", "b.bin" }', ("é"):rep(3000)),
    answers = { default = chat.says("ok") }, agents = DEV:gsub("key", 'max_input = "2K", key'),
    shell = [[printf '\377\376' > b.bin; "$orrery" run a]], after = function(dir)
      local _, body = chat.request(dir, 1)
      assert.matches("(cut: the first 1.0 KiB of 5.9 KiB)", body.messages[2].content, 1, true)
      assert.matches("(not text, 2 bytes; not shown)", body.messages[2].content, 1, true)
    end })

  it("takes secret headers from the environment", chat.test {
    files = ask('prompt = "x"'), answers = { default = chat.says("ok") },
    agents = 'dev = { http = { base_url = "URL", model = "m", headers = { ["X-Org"] = "us", '
      .. '["api-key"] = { env = "KEY" } } } }', args = "run a", after = function(dir)
      local head = chat.request(dir, 1)
      assert.matches("X%-Org: us\r\n", head)
      assert.matches("api%-key: sk%-very%-secret%-1\r\n", head)
      secret_is_nowhere(dir)
    end })
end)

describe("an executor in orrery.lua", function()
  local function refused(agents, stderr)
    return cli.run { files = { ["workflows/a.lua"] = cli.workflow('o.step "s" { run = "true" },'),
      ["orrery.lua"] = "return {\n  agents = {\n" .. agents .. "\n} }" }, args = "run a", code = 3,
      stderr = stderr }
  end

  it("has only known fields", refused('dev = { http = { base_ul = "http://x/v1", model = "m" } }',
    { "orrery.lua:2: error: unknown field 'base_ul' in agents['dev'].http",
      "did you mean 'base_url'?" }))
  it("is a command or an endpoint", refused("dev = { reads = 'request' }",
    "needs one of run and http"))
  it("has texts in its command", refused("dev = { run = { './a', 5 } }",
    "agents['dev'].run: word 2 is a number, not a text"))
  it("names the variable of its key, not the key",
    refused('dev = { http = { base_url = "http://x", model = "m", key = "sk-abcdefghijkl" } }',
      { "is the name of an environment variable", "!abcdefghijkl" }))
  it("has no password in its address",
    refused('dev = { http = { base_url = "http://me:pw@x/v1", model = "m" } }',
      "has a password in it"))
end)
