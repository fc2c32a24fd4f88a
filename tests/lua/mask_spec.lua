-- What is hidden in texts, values and streams, whatever pieces these come in.
local mask = require("orrery.run.secrets.mask")
local pack = require("orrery.core.pack")

local function of(...)
  local m = mask.new()
  for _, text in ipairs { ... } do m:add(text) end
  return m
end

-- A text through a stream, cut at each of the given places.
local function streamed(m, text, ...)
  local s, out, at = m:stream(), {}, 1
  for _, cut in ipairs { ... } do
    out[#out + 1] = s:take(text:sub(at, cut))
    at = cut + 1
  end
  out[#out + 1] = s:take(text:sub(at))
  out[#out + 1] = s:finish()
  return table.concat(out), out
end

describe("a mask", function()
  it("hides each occurrence, and what overlaps or touches as one", function()
    local m = of("abcdef", "defghi", "aaaa")
    assert.equal("1***2***3", m:text("1abcdef2defghi3"))
    assert.equal("***", m:text("abcdefghi"))
    assert.equal("***", m:text("aaaaaaa"))
    assert.equal("***", m:text("abcdefdefghi"))
    assert.equal("abcde", m:text("abcde"))
  end)

  it("hides a text in a stream wherever it is cut, and shows all else", function()
    local m = of("hunter2", "ter2-more", "line one\nline two")
    local text = "x hunter2-more hun hunter hunter2 line one\nline two end line on"
    local want = m:text(text)
    for cut = 0, #text do
      for second = cut, #text, 3 do
        assert.equal(want, (streamed(m, text, cut, second):gsub("%*%*%*%*%*%*", "***")))
      end
    end
  end)

  it("holds back no more than what may be hidden", function()
    local _, pieces = streamed(of("hunter2"), "say hi hunt", 11)
    assert.equal("say hi ", pieces[1])
    assert.equal("hunt", pieces[3])
  end)

  it("hides a beginning where the text was cut off", function()
    assert.equal("pw ***", of("hunter2"):text("pw hunte", true))
    assert.equal("pw hunte", of("hunter2"):text("pw hunte"))
  end)

  it("hides in values: texts, names of fields, numbers; arrays stay arrays", function()
    local v = of("884422"):value({ a = { "x884422", 884422, 7 }, ["884422"] = true,
      e = pack.array({}), n = pack.null })
    assert.same({ "x***", "***", 7 }, v.a)
    assert.equal(true, v["***"])
    assert.is_nil(v["884422"])
    assert.is_true(pack.is_array(v.e))
    assert.equal(pack.null, v.n)
  end)

  it("hides base64 at any of its three places, also for URLs", function()
    local m = of("open?sesame>now")
    for _, code in ipairs { "b3Blbj9zZXNhbWU+bm93", "eG9wZW4/c2VzYW1lPm5vdw==",
      "eHhvcGVuP3Nlc2FtZT5ub3c=", "eG9wZW4_c2VzYW1lPm5vdw==" } do
      local out = m:text("<" .. code .. ">")
      assert.is_truthy(out:find("***", 1, true), code .. " → " .. out)
      assert.is_true(#out <= 12, code .. " → " .. out)
    end
  end)
end)
