-- Refresh continuously: each thread has a queue of tokens, takes one for a request and appends its successor.
-- Arguments: file of tokens, threads, Authorization, the delay before each request of a connection in milliseconds, and
-- a file of DPoP proofs, of which each request uses one (optional).
local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

-- The lines of a file that are for this thread.
function share(file, count)
  local lines, index = {}, 0
  for line in io.lines(file) do
    if index % tonumber(count) == number then
      lines[#lines + 1] = line
    end
    index = index + 1
  end
  return lines
end

function init(arguments)
  tokens, first = share(arguments[1], arguments[2]), 1
  last = #tokens
  failures, answers = 0, 0
  proofs, used = arguments[5] and share(arguments[5], arguments[2]), 0
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
  if proofs then
    used = used + 1
    headers["DPoP"] = proofs[used]
  end
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
