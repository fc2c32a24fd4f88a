-- The documents are true: their workflows pass the check, their commands print what they show.
local docs = require("tests.docs")
local fs = require("orrery.fs")
local harness = require("tests.cli.harness")

local written = { "README.md" }
for _, path in ipairs(fs.glob("docs/*.md")) do written[#written + 1] = path end

local function workflow_of(block)
  return block.file and block.file:match("^workflows/([%w_-]+)%.%a+$")
end

-- All files of a document up to and with a block, so that what it names is there.
local function files_until(blocks, last)
  local files = {}
  for i = 1, last do
    if blocks[i].file then files[blocks[i].file] = table.concat(blocks[i].lines, "\n") .. "\n" end
  end
  return files
end

describe("each workflow shown in", function()
  for _, path in ipairs(written) do
    local blocks = docs.blocks(fs.read(path))
    for i, block in ipairs(blocks) do
      local name = workflow_of(block)
      if name and name ~= "wrong" then
        it(("%s:%d (%s) passes the check"):format(path, block.line, name), function()
          local dir = harness.folder(files_until(blocks, i))
          local r = harness.exec(dir, "check " .. name)
          harness.remove(dir)
          local wrong = r.stderr:gsub("[^\n]*: warning: [^\n]*\n", "")
            :gsub("[^\n]*: note: the key for [^\n]*\n", "")
          assert.equal("", wrong, r.stderr)
          assert.equal(0, r.code)
        end)
      end
    end
  end
end)

describe("what is typed in", function()
  for _, path in ipairs(written) do
    local text = fs.read(path)
    if text:find("\n```console\n", 1, true) then
      it(path .. " prints what is shown", function()
        docs.play(text, function(command, code, lines)
          local where = ("%s:%d: $ %s"):format(path, command.line, command.text)
          local got = "\n" .. table.concat(lines, "\n")
          assert(code == command.code, ("%s\nexit %d, expected %d%s"):format(where, code,
            command.code, got))
          local ok, why = docs.fits(command.want, lines)
          assert(ok, ("%s\n%s%s"):format(where, why, got))
        end)
      end)
    end
  end
end)

describe("the tutorial", function()
  it("is there, with its commands", function()
    local n = 0
    for _, block in ipairs(docs.blocks(fs.read("docs/tutorial.md"))) do
      n = n + #(block.commands or {})
    end
    assert.is_true(n >= 40, n .. " commands")
  end)

  it("is compared line by line: another output is noticed", function()
    assert.is_true((docs.fits({ "a  2 ms", "b" }, { "b", "a 31 ms" })))
    assert.is_true((docs.fits({ "a", "…" }, { "b", "a", "c" })))
    assert.is_false((docs.fits({ "a", "b" }, { "a" })))
    assert.is_false((docs.fits({ "a" }, { "a", "b" })))
    assert.is_false((docs.fits({ "a", "a", "…" }, { "a", "b" })))
    assert.is_false((docs.fits({ "3 steps: 3 ran" }, { "3 steps: 2 ran" })))
  end)
end)

describe("the reference", function()
  it("is current", function()
    local r = harness.exec(".", "lua scripts/reference.lua --check")
    assert.equal(0, r.code, r.stderr)
  end)

  it("has a line for each field, and none for others", function()
    local fields, help = require("orrery.model.fields"), require("orrery.model.help")
    local sorted = require("orrery.kernel.sorted")
    for _, what in ipairs { "step", "group", "workflow", "param" } do
      assert.same(sorted.keys(fields[what]), sorted.keys(help[what]))
    end
  end)
end)

describe("links in the documents", function()
  it("lead to files and headings that are there", function()
    local bad = {}
    for _, path in ipairs(written) do
      local dir = path:match("^(.*/)") or ""
      for to in fs.read(path):gmatch("%]%(([^)]+)%)") do
        local file, anchor = to:match("^([^#]*)#?(.*)$")
        if not to:find("^%a+:") then
          local target = file == "" and path or fs.normal(dir .. file)
          if not fs.exists(target) then
            bad[#bad + 1] = path .. " → " .. to
          elseif anchor ~= "" then
            local found = false
            for heading in ("\n" .. fs.read(target)):gmatch("\n#+ ([^\n]+)") do
              found = found or heading:lower():gsub("[^%w%- ]", ""):gsub(" ", "-") == anchor
            end
            if not found then bad[#bad + 1] = path .. " → " .. to end
          end
        end
      end
    end
    assert.same({}, bad)
  end)
end)
