-- Lines for people on stderr, by level. ORRERY_LOG (debug, info, warn, error, off) says from
-- which level on; info unless set.
local sorted = require("orrery.kernel.sorted")

local log = {}

local LEVELS = { debug = 1, info = 2, warn = 3, error = 4, off = 5 }

local function value_text(v)
  local text = tostring(v)
  if type(v) == "string" and (text == "" or text:find("[%s=\"%c]")) then
    return (("%q"):format(text):gsub("\\\n", "\\n"))
  end
  return text
end

local function line(level, message, fields)
  local out = { level, ": ", (tostring(message):gsub("\n", "\n  ")) }
  for k, v in sorted.pairs(fields or {}) do
    out[#out + 1] = (" %s=%s"):format(tostring(k), value_text(v))
  end
  out[#out + 1] = "\n"
  return table.concat(out)
end

local function threshold(opts)
  local name = opts.level or os.getenv("ORRERY_LOG")
  return LEVELS[name] or LEVELS.info
end

local function stderr(text)
  io.stderr:write(text)
end

--- A logger with its own level and its own way out.
---
---     local quiet = log.new { level = "warn" }; quiet.info("not shown")
---@param opts? { level?: string, write?: fun(text: string) }
---@return table<"debug"|"info"|"warn"|"error", fun(message: any, fields?: table)>
function log.new(opts)
  opts = opts or {}
  local logger = {}
  for _, level in ipairs { "debug", "info", "warn", "error" } do
    logger[level] = function(message, fields)
      if LEVELS[level] < threshold(opts) then return end
      (opts.write or stderr)(line(level, message, fields))
    end
  end
  return logger
end

local default = log.new()

--- What only someone looking for a fault wants to know.
---
---     log.debug("cache miss", { key = key })
---@type fun(message: any, fields?: table)
log.debug = default.debug

--- What happens, one line each, with fields in sorted order.
---
---     log.info("deployed", { region = "eu", count = 3 }) --> info: deployed count=3 region=eu
---@type fun(message: any, fields?: table)
log.info = default.info

--- What went on but may be wrong.
---
---     log.warn("no lock file; versions may differ")
---@type fun(message: any, fields?: table)
log.warn = default.warn

--- What failed. It raises nothing.
---
---     log.error("upload failed", { code = 503 })
---@type fun(message: any, fields?: table)
log.error = default.error

return log
