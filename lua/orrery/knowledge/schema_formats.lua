-- The formats of JSON Schema, as tests on strings. They are asserted only on request: by
-- itself `format` is a note. Unknown names are not here and accept everything.
local formats = {}

local days = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function is_leap(year) return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0) end

function formats.date(s)
  local y, m, d = s:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  if not y then return false end
  y, m, d = tonumber(y), tonumber(m), tonumber(d)
  local last = days[m]
  if m == 2 and is_leap(y) then last = 29 end
  return last ~= nil and d >= 1 and d <= last
end

-- A leap second ends a day in UTC.
local function is_leap_second(h, m, sign, oh, om)
  local minutes = h * 60 + m
  if sign then
    local offset = oh * 60 + om
    minutes = sign == "-" and minutes + offset or minutes - offset
  end
  return minutes % 1440 == 23 * 60 + 59
end

function formats.time(s)
  local h, m, sec, rest = s:match("^(%d%d):(%d%d):(%d%d)(.+)$")
  if not h then return false end
  rest = rest:gsub("^%.%d+", "")
  local sign, oh, om = rest:match("^([+-])(%d%d):(%d%d)$")
  if not sign and rest ~= "Z" and rest ~= "z" then return false end
  h, m, sec = tonumber(h), tonumber(m), tonumber(sec)
  oh, om = tonumber(oh or 0), tonumber(om or 0)
  if h > 23 or m > 59 or sec > 60 or oh > 23 or om > 59 then return false end
  return sec < 60 or is_leap_second(h, m, sign, oh, om)
end

formats["date-time"] = function(s)
  local date, time = s:match("^([^Tt]*)[Tt](.*)$")
  return date ~= nil and formats.date(date) and formats.time(time)
end

-- Units may end early but not leave a gap: 1Y2M, not 1Y2D.
local function units(s, order)
  local at
  for n, unit in s:gmatch("(%d+)(%a)") do
    local i = order:find(unit, 1, true)
    if n == "" or not i or (at and i ~= at + 1) then return false end
    at = i
  end
  return s == "" or (at ~= nil and s:gsub("%d+%a", "") == "")
end

function formats.duration(s)
  if s:find("^P%d+W$") then return true end
  local date, t, time = s:match("^P([^T]*)(T?)(.*)$")
  if not date or (date == "" and t == "") or (t == "T" and time == "") then return false end
  return units(date, "YMD") and units(time, "HMS")
end

local function labels(s, is_label)
  if s == "" or #s > 253 or s:find("%.%.") or s:sub(1, 1) == "." or s:sub(-1) == "." then
    return false
  end
  for label in s:gmatch("[^.]+") do
    if not is_label(label) then return false end
  end
  return true
end

function formats.hostname(s)
  return labels(s, function(label)
    return #label <= 63 and label:find("^%w[%w-]*$") ~= nil and label:sub(-1) ~= "-"
      and (label:sub(3, 4) ~= "--" or label:lower():find("^xn%-%-%w") ~= nil)
  end)
end

-- IDNA in outline: letters of any script, the ideographic dots, no leading mark.
formats["idn-hostname"] = function(s)
  if not utf8.len(s) then return false end
  s = s:gsub("\u{3002}", "."):gsub("\u{FF0E}", "."):gsub("\u{FF61}", ".")
  return labels(s, function(label)
    local n = utf8.len(label)
    if n > 63 or label:find("^%-") or label:find("%-$") or label:sub(3, 4) == "--"
      and not label:lower():find("^xn%-%-%w") then
      return false
    end
    return not label:find("[^%w\x80-\xFF-]") and not label:find("\u{302E}", 1, true)
      and not label:find("\u{302F}", 1, true) and not label:find("^\u{300}")
  end)
end

function formats.ipv4(s)
  local n = 0
  for part in (s .. "."):gmatch("([^.]*)%.") do
    n = n + 1
    if not part:find("^%d%d?%d?$") or (#part > 1 and part:sub(1, 1) == "0")
      or tonumber(part) > 255 then
      return false
    end
  end
  return n == 4
end

-- The number of 16-bit groups in a list of them, an IPv4 tail counting two.
local function groups(s)
  if s == "" then return 0 end
  local n = 0
  for part, more in (s .. ":"):gmatch("([^:]*)():") do
    if part:find("^%x%x?%x?%x?$") then
      n = n + 1
    elseif more > #s and part:find(".", 1, true) and formats.ipv4(part) then
      n = n + 2
    else
      return nil
    end
  end
  return n
end

function formats.ipv6(s)
  local head, tail = s:match("^(.-)::(.*)$")
  if not head then return groups(s) == 8 end
  if head:find(".", 1, true) then return false end
  local a, b = groups(head), groups(tail)
  return a ~= nil and b ~= nil and a + b <= 7
end

local function is_local(s)
  if s:find('^"[^"\\\r\n]*"$') or s:find('^"') and s:find('^"[^\r\n]*"$')
    and not s:sub(2, -2):gsub("\\.", ""):find('["\\]') then
    return true
  end
  return s ~= "" and not s:find("[^%w!#$%%&'*+/=?^_`{|}~.\x80-\xFF-]")
    and not s:find("%.%.") and s:sub(1, 1) ~= "." and s:sub(-1) ~= "."
end

local function address(is_host)
  return function(s)
    local name, host = s:match("^(.*)@([^@]*)$")
    if not name or not is_local(name) then return false end
    local literal = host:match("^%[(.*)%]$")
    if literal then
      local v6 = literal:match("^IPv6:(.*)$")
      return v6 and formats.ipv6(v6) or formats.ipv4(literal)
    end
    return is_host(host)
  end
end

local plain_email = address(formats.hostname)
formats.email = function(s) return not s:find("[\x80-\xFF]") and plain_email(s) end
formats["idn-email"] = address(formats["idn-hostname"])

local function host_and_port(authority)
  local rest = authority:match("^[^@]*@(.*)$") or authority
  if rest:find("@", 1, true) or authority:match("^[^@]*@") and authority:match("^[^@]*")
    :find("[%[%]]") then
    return false
  end
  local literal, after = rest:match("^%[(.*)%](.*)$")
  if literal then
    return (formats.ipv6(literal) or literal:find("^[vV]%x+%.[%w%-._~!$&'()*+,;=:]+$") ~= nil)
      and after:find("^:?%d*$") ~= nil
  end
  return rest:find("^[^:%[%]]*:?%d*$") ~= nil
end

local function uri_like(wants_scheme, extra)
  local bad = "[^%w%-._~:/?#%[%]@!$&'()*+,;=%%" .. extra .. "]"
  return function(s)
    if s:find(bad) or s:gsub("%%%x%x", ""):find("%", 1, true) or s:find("#.*#")
      or extra ~= "" and not utf8.len(s) then
      return false
    end
    local scheme, rest = s:match("^(%a[%w+.-]*):(.*)$")
    if wants_scheme and not scheme then return false end
    rest = rest or s
    if not scheme and rest:find("^[^/?#]*:") then return false end
    local authority = rest:match("^//([^/?#]*)")
    if authority and not host_and_port(authority) then return false end
    return not (authority and rest:sub(3 + #authority) or rest):find("[%[%]]")
  end
end

formats.uri, formats["uri-reference"] = uri_like(true, ""), uri_like(false, "")
formats.iri = uri_like(true, "\x80-\xFF")
formats["iri-reference"] = uri_like(false, "\x80-\xFF")

local function is_expression(s)
  s = s:gsub("^[+#./;?&=,!@|]", "")
  if s == "" then return false end
  for spec in (s .. ","):gmatch("([^,]*),") do
    spec = spec:gsub("%*$", ""):gsub(":[1-9]%d?%d?%d?$", "")
    spec = spec:gsub("%%%x%x", "x")
    if not spec:find("^[%w_][%w_.]*$") or spec:find("%.%.") then return false end
  end
  return true
end

formats["uri-template"] = function(s)
  local fine = true
  local rest = s:gsub("{([^{}]*)}", function(e)
    fine = fine and is_expression(e)
    return ""
  end)
  return fine and not rest:find('[%c "<>\\^`{|}]')
    and not rest:gsub("%%%x%x", ""):find("%", 1, true)
end

function formats.uuid(s)
  local x = "%x%x%x%x"
  return s:find("^" .. x .. x .. "%-" .. x .. "%-" .. x .. "%-" .. x .. "%-" .. x .. x .. x .. "$")
    ~= nil
end

formats["json-pointer"] = function(s)
  return (s == "" or s:sub(1, 1) == "/") and not s:gsub("~[01]", ""):find("~", 1, true)
end

formats["relative-json-pointer"] = function(s)
  local n, rest = s:match("^(%d+)(.*)$")
  if not n or (#n > 1 and n:sub(1, 1) == "0") then return false end
  return rest == "#" or formats["json-pointer"](rest)
end

function formats.regex(s)
  return require("orrery.core.regex").compile(s) ~= nil
end

return formats
