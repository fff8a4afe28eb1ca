"""Write docs/ops.md: every op with its forward and its rules, read from the source.

python docs/make_ops_table.py            write the page
python docs/make_ops_table.py --check    fail if the page is not what the source says
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import minigrad as mg
from minigrad.op import REGISTRY, Op

HERE = Path(__file__).parent
PAGE = HERE / "ops.md"
PACKAGE = Path(mg.__file__).parent
SOURCE = HERE.parent / "minigrad"

HEAD = """# Every op and its rule

Made by `docs/make_ops_table.py` from the declarations in `minigrad/ops/`. A rule gets the cotangent `g` of the output
and whatever it names: an input, the output `out`, a parameter, or the shape of an input. It computes $g^T J$.
Broadcasting appears in no rule: the engine sums a gradient back to the shape of its input.
What is not here is a composition of these, written as a plain function in the same files. What holds at kinks stands in
[kinks.md](kinks.md).

"""


def rules_of(tree: ast.Module) -> dict[str, dict[str, str]]:
    """For every function that ``defvjp`` or ``defvjp_joint`` declares rules of: input name -> the rule's text."""
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    rules: dict[str, dict[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = node.value
            if isinstance(call.func, ast.Name) and call.func.id == "defvjp":
                target = ast.unparse(call.args[0])
                rules.setdefault(target, {}).update({k.arg or "": rule_text(k.value, functions) for k in call.keywords})
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "defvjp_joint":
                    rules[ast.unparse(decorator.args[0])] = {"all": body_text(node)}
    return rules


def rule_text(rule: ast.expr, functions: dict[str, ast.FunctionDef]) -> str:
    if isinstance(rule, ast.Lambda):
        return ast.unparse(rule.body)
    if isinstance(rule, ast.Name) and rule.id in functions:
        return body_text(functions[rule.id])
    return "not differentiable" if isinstance(rule, ast.Constant) and rule.value is None else ast.unparse(rule)


def body_text(function: ast.FunctionDef) -> str:
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    if len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None:
        return ast.unparse(body[0].value)
    return "; ".join(" ".join(ast.unparse(s).split()) for s in body)


def row(op: Op, rules: dict[str, str]) -> str:
    arguments = ", ".join([("*" if op.variadic else "") + name for name in op.inputs])
    parameters = "".join(f", {name}" for name in op.defaults)
    forward = " ".join(op.doc.split("\n\n", maxsplit=1)[0].split()).replace("|", "\\|")
    forward = forward.replace(":math:`", "$").replace(":func:", "")
    cells = [f"`{name}`: `` {text} ``" for name, text in rules.items() if text != "not differentiable"]
    if len(rules) == 1 and len(cells) == 1:
        cells = [cells[0].partition(": ")[2]]
    shown = "<br>".join(cell.replace("|", "\\|") for cell in cells) or "not differentiable"
    return f"| `{op.name}({arguments}{parameters})` | {math(forward)} | {shown} |"


def math(text: str) -> str:
    """``$...` `` (what is left of a role) as ``$...$``."""
    pieces = text.split("$")
    return pieces[0] + "".join("$" + piece.replace("`", "$", 1) for piece in pieces[1:])


def page() -> str:
    lines = [HEAD]
    by_module: dict[str, list[Op]] = {}
    for op in REGISTRY.values():
        by_module.setdefault(op.module, []).append(op)
    for module in sorted(name for name in by_module if name.startswith("minigrad.ops.")):
        path = SOURCE / "ops" / f"{module.rpartition('.')[2]}.py"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        rules = rules_of(tree)
        title = (ast.get_docstring(tree) or module).partition("\n")[0].rstrip(".")
        lines += [f"## {title}\n", "| op | forward | rule |", "|---|---|---|"]
        for op in by_module[module]:
            lines.append(row(op, rules.get(op.forward.__name__, {})))
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    text = page()
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
        print(f"wrote {PAGE.name}: {len(REGISTRY)} ops")
    elif PAGE.read_text(encoding="utf-8") != text:
        raise SystemExit("docs/ops.md is not up to date: run python docs/make_ops_table.py")
    else:
        print(f"{PAGE.name} is up to date: {len(REGISTRY)} ops")
