-- Rubrics: what a rating is made of, with weights. One file, in any of the forms people
-- write: criteria or dimensions, as a list or as a map, or weights alone.
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local sorted = require("orrery.kernel.sorted")

local rubric = {}

---@class orrery.Rubric
---@field criteria { name: string, weight: number }[]  in order; weights as written, 1 when absent
---@field minimum? number   what it asks for itself

local function folded(name) return (tostring(name):lower():gsub("[%s%-]+", "_")) end

local function weight_of(one)
  local w = type(one) == "table" and (one.weight or one.weight_percent) or one
  if type(w) == "string" then w = tonumber((w:gsub("%%$", ""))) end
  return type(w) == "number" and w >= 0 and w or 1
end

local function criteria_of(value)
  local given, out = value.criteria or value.dimensions or value.weights, {}
  if type(given) ~= "table" then return out end
  if #given > 0 then
    for _, one in ipairs(given) do
      local name = type(one) == "table" and (one.name or one.id or one.criterion
        or one.dimension) or one
      if type(name) == "string" then
        out[#out + 1] = { name = folded(name), weight = type(one) == "table" and weight_of(one)
          or 1 }
      end
    end
    return out
  end
  for name, one in sorted.pairs(given) do
    out[#out + 1] = { name = folded(name), weight = weight_of(one) }
  end
  return out
end

--- Reads a rubric.
---@param path string
---@return orrery.Rubric? rubric nil: it cannot be used
---@return string? why
function rubric.read(path)
  local text, err = fs.read(path)
  if not text then return nil, err.message end
  local value
  value, err = json.decode(text, { name = path, last_wins = true })
  if type(value) ~= "table" then return nil, err and err.message or path .. " is no object" end
  local out = { criteria = criteria_of(value) }
  for _, name in ipairs({ "minimum_score", "minimum_passing_score", "passing_score" }) do
    if type(value[name]) == "number" then out.minimum = out.minimum or value[name] end
  end
  return out
end

-- Where ratings keep the score of each criterion, and where the total.
local maps = { "rubric_scores", "criteria_scores", "dimension_scores", "scores", "criteria",
  "dimensions", "breakdown" }
local totals = { "overall_score", "score", "total_score", "average_score" }

local function number_in(v)
  if type(v) == "number" then return v end
  return type(v) == "table" and type(v.score) == "number" and v.score or nil
end

-- The scores of a rating by folded name; nil: it has none.
local function scores_of(rating)
  for _, name in ipairs(maps) do
    local given, out = rating[name], {}
    for k, one in sorted.pairs(type(given) == "table" and given or {}) do
      local called = type(one) == "table" and (one.name or one.criterion or one.dimension) or k
      out[folded(called)] = number_in(one)
    end
    if next(out) then return out end
  end
end

local function total_of(rating)
  for _, name in ipairs(totals) do
    if type(rating[name]) == "number" then return rating[name], name end
  end
end

local function weighed(criteria, scores)
  local sum, weights, missing = 0, 0, {}
  for _, c in ipairs(criteria) do
    local s = scores[c.name]
    if s then
      sum, weights = sum + c.weight * s, weights + c.weight
    else
      missing[#missing + 1] = c.name
    end
  end
  if #missing > 0 then
    return nil, "the rating has no score for " .. table.concat(missing, ", ")
  end
  if weights == 0 then return nil, "the weights of the rubric come to 0" end
  return math.floor(sum / weights * 1000 + 0.5) / 1000
end

local function unlike(computed, total)
  return total and math.abs(total - computed) > 0.05 and ("; the rating says %s"):format(total)
    or ""
end

-- What a rating without any score lacks, for who makes the next one.
local function wanted(given)
  local names = {}
  for i, one in ipairs(given and given.criteria or {}) do names[i] = one.name end
  if #names == 0 then return "overall_score" end
  return ("scores { %s }"):format(table.concat(names, ", "))
end

--- The score of a rating. With scores for the criteria of a rubric it is computed by weight,
--- whatever total the rating claims; else it is the total that the rating gives.
---@param rating any
---@param given orrery.Rubric?
---@return number? score nil: there is none
---@return string how it came about, or why there is none
function rubric.score(rating, given)
  if type(rating) ~= "table" then return nil, "there is no score: the rating is no object" end
  local total, name = total_of(rating)
  local scores = given and #given.criteria > 0 and scores_of(rating)
  if not scores then
    if total then return total, ("as %s says"):format(name) end
    return nil, "there is no score: write " .. wanted(given) .. " into the rating"
  end
  local computed, why = weighed(given.criteria, scores)
  if not computed then return nil, why end
  return computed, ("by the weights of %d criteria%s"):format(#given.criteria,
    unlike(computed, total))
end

return rubric
