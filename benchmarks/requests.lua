-- Send requests in turn. Arguments: file of bodies (one per line), threads, Authorization, method and path.
local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(arguments)
  bodies, index = {}, 0
  local line = 0
  for body in io.lines(arguments[1]) do
    if line % tonumber(arguments[2]) == number then
      bodies[#bodies + 1] = body
    end
    line = line + 1
  end
  headers = { ["Content-Type"] = "application/x-www-form-urlencoded", ["Authorization"] = arguments[3] }
  method, path = arguments[4], arguments[5]
end

function request()
  index = index % #bodies + 1
  if method == "GET" then
    return wrk.format("GET", path)
  end
  return wrk.format(method, path, headers, bodies[index])
end
