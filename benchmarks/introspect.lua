-- Introspect active access tokens in turn.
function init(arguments)
  bodies, index = {}, 0
  for token in io.lines(arguments[1]) do
    bodies[#bodies + 1] = "token=" .. token
  end
  headers = { ["Content-Type"] = "application/x-www-form-urlencoded", ["Authorization"] = arguments[3] }
end

function request()
  index = index % #bodies + 1
  return wrk.format("POST", "/oauth/introspect", headers, bodies[index])
end
