"""The official conformance suite (Debian: python3-jupyter-kernel-test) with samples for this kernel."""
import unittest

import jupyter_kernel_test


class KaisetsuTests(jupyter_kernel_test.KernelTests):
    kernel_name = "kaisetsu"
    language_name = "typescript"
    file_extension = ".ts"

    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('to stderr')"
    completion_samples = [
        {"text": "console.lo", "matches": {"log"}},
        {"text": "Math.sq", "matches": {"sqrt"}},
        {"text": "const 解説 = '説明'; 解説.toUpper", "matches": {"toUpperCase"}},
    ]
    complete_code_samples = ["1 + 1", "const f = (x: number) => x * 2", "if (true) {\n  1\n}", "await null", ""]
    incomplete_code_samples = ["function f() {", "const text = `abc", "[1, 2,", "class A {\n  m() {", "1 +", "/* note"]
    invalid_code_samples = ["let 1x = 2", ")", "const = 3", "a b c"]
    code_page_something = "console.log?"
    code_generate_error = "throw new Error('expected')"
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "[1, 'a']", "result": "[ 1, 'a' ]"},
        {"code": "'解説'", "result": "'解説'"},
        {"code": "[{ a: 1 }, { a: 2 }]", "mime": "text/html"},
    ]
    code_display_data = [
        {"code": "notebook.display({ 'text/html': '<b>bold</b>', 'text/plain': 'bold' }, { raw: true })", "mime": "text/html"},
        {"code": "import { display } from 'tslab'; display.png(new Uint8Array(4))", "mime": "image/png"},
        {"code": "notebook.display(notebook.svg`<svg/>`)", "mime": "image/svg+xml"},
    ]
    supported_history_operations = ("tail", "range", "search")
    code_history_pattern = "6 [*] 7"
    code_inspect_sample = "console.log"
    code_clear_output = "notebook.clearOutput(true)"

    # Known to newer releases of the suite only.
    support_iopub_welcome = True


if hasattr(jupyter_kernel_test, "IopubWelcomeTests"):

    class WelcomeTests(jupyter_kernel_test.IopubWelcomeTests):
        kernel_name = "kaisetsu"
        support_iopub_welcome = True


if __name__ == "__main__":
    unittest.main(verbosity=2)
