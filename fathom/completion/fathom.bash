# SPDX-License-Identifier: MIT
# bash completion of the fathom command. It asks the command itself what there is to complete.
_fathom() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} name=${COMP_WORDS[0]}
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$("$name" --commands) --help --version" -- "$word")
        return
    fi
    local options choices
    options=$("$name" --options "${COMP_WORDS[1]}" 2>/dev/null) || return
    choices=$(awk -F '\t' -v option="$previous" '$1 == option { print $2 }' <<<"$options")
    if [ -n "$choices" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
    elif [[ $previous == --@(kernel|exe|index-file|output|debug-dir) || $previous == -@(k|e|o) ||
        (${COMP_WORDS[1]} == index && $word != -*) ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -W "$(cut -f 1 <<<"$options")" -- "$word")
    fi
}
complete -o bashdefault -F _fathom fathom
