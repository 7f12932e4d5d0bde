// The pages work without this file. It submits the answer to an app at once, and lets people see their password.
for (const form of document.querySelectorAll('form[data-submit]')) form.submit()

for (const field of document.querySelectorAll('input[type=password][data-show]')) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'reveal'
  button.textContent = field.dataset.show
  button.setAttribute('aria-pressed', 'false')
  button.setAttribute('aria-label', `${field.dataset.show}: ${field.labels[0].textContent}`)
  button.addEventListener('click', () => {
    const shown = field.type === 'text'
    field.type = shown ? 'password' : 'text'
    button.textContent = shown ? field.dataset.show : field.dataset.hide
    button.setAttribute('aria-pressed', String(!shown))
  })
  field.form.addEventListener('submit', () => {
    field.type = 'password'
  })
  const line = document.createElement('div')
  line.className = 'reveal-line'
  field.replaceWith(line)
  line.append(field, button)
  if (field.autofocus) field.focus()
}
