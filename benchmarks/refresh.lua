-- Refresh continuously: each thread has a queue of tokens, takes one for a request and appends its successor.
-- Arguments: file of tokens, threads, Authorization, and the delay before each request of a connection in milliseconds.
local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(arguments)
  tokens, first, last = {}, 1, 0
  failures, answers = 0, 0
  local index = 0
  for token in io.lines(arguments[1]) do
    if index % tonumber(arguments[2]) == number then
      last = last + 1
      tokens[last] = token
    end
    index = index + 1
  end
  headers = { ["Content-Type"] = "application/x-www-form-urlencoded", ["Authorization"] = arguments[3] }
  pause = tonumber(arguments[4])
end

function delay()
  return pause
end

function request()
  local token = tokens[first]
  tokens[first] = nil
  first = first + 1
  return wrk.format("POST", "/oauth/token", headers, "grant_type=refresh_token&refresh_token=" .. token)
end

function response(status, _, body)
  answers = answers + 1
  local token = string.match(body, '"refresh_token":"([^"]+)"')
  if status ~= 200 or token == nil then
    failures = failures + 1
    return
  end
  last = last + 1
  tokens[last] = token
end
