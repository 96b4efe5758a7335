/** The function with which VMware's engineers explained their translator: is edi prime? Answers in eax. */
export const IS_PRIME = `
isPrime:
    mov ecx, edi        ; a
    mov esi, 2          ; i
    cmp esi, ecx
    jge prime
next:
    mov eax, ecx
    cdq
    idiv esi            ; a % i
    test edx, edx
    jz notPrime
    inc esi
    cmp esi, ecx
    jl next
prime:
    mov eax, 1
    ret
notPrime:
    xor eax, eax
    ret
`;
