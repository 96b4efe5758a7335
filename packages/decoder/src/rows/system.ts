/** SDM vol 2, appendix A groups 6, 7, 9, 15 and table A-3: system instructions; APM vol 3 for SVM. Grammar: see parse-rows.ts. */
export const SYSTEM_ROWS = `
0f 00 /0 : sldt =Rv/Mw : : protected vmx:ldtr_tr svm:ldtr_read
0f 00 /1 : str =Rv/Mw : : protected vmx:ldtr_tr svm:tr_read
0f 00 /2 : lldt Ew : : protected cpl0 end vmx:ldtr_tr svm:ldtr_write
0f 00 /3 : ltr Ew : : protected cpl0 end vmx:ldtr_tr svm:tr_write
0f 00 /4 : verr Ew : z : protected
0f 00 /5 : verw Ew : z : protected
0f 01 mem /0 : sgdt =Ms : : f64 vmx:gdtr_idtr svm:gdtr_read
0f 01 mem /1 : sidt =Ms : : f64 vmx:gdtr_idtr svm:idtr_read
0f 01 mem /2 : lgdt Ms : : f64 cpl0 end vmx:gdtr_idtr svm:gdtr_write
0f 01 mem /3 : lidt Ms : : f64 cpl0 end vmx:gdtr_idtr svm:idtr_write
0f 01 /4 : smsw =Rv/Mw : : svm:cr0_read
0f 01 /6 : lmsw Ew : : cpl0 end vmx:cr_access svm:cr0_write
0f 01 mem /7 : invlpg ~Mb : : cpl0 end x:invlpg
np 0f 01 =c0 : enclv : : sgx end
np 0f 01 =c1 : vmcall : : vmx end vmx:vmcall
np 0f 01 =c2 : vmlaunch : zc 0osap : vmx cpl0 end vmx:vmlaunch
np 0f 01 =c3 : vmresume : zc 0osap : vmx cpl0 end vmx:vmresume
np 0f 01 =c4 : vmxoff : zc 0osap : vmx cpl0 end vmx:vmxoff
np 0f 01 =c5 : pconfig : oszapc : pconfig cpl0 end
np 0f 01 =c8 : monitor : : monitor cpl0 x:monitor
np 0f 01 =c9 : mwait : : monitor cpl0 end x:mwait
np 0f 01 =ca : clac : : smap cpl0 end
np 0f 01 =cb : stac : : smap cpl0 end
np 0f 01 =cf : encls : : sgx cpl0 end
np 0f 01 =d0 : xgetbv : : xsave
np 0f 01 =d1 : xsetbv : : xsave cpl0 end x:xsetbv
np 0f 01 =d4 : vmfunc : : vmx end vmx:vmfunc
np 0f 01 =d5 : xend : : rtm end
np 0f 01 =d6 : xtest : z 0osapc : rtm
np 0f 01 =d7 : enclu : : sgx end
0f 01 =d8 : vmrun : <oszapcdi : svm cpl0 end svm:vmrun
0f 01 =d9 : vmmcall : : svm end svm:vmmcall prio
0f 01 =da : vmload : : svm cpl0 end svm:vmload
0f 01 =db : vmsave : : svm cpl0 end svm:vmsave
0f 01 =dc : stgi : : svm cpl0 end svm:stgi
0f 01 =dd : clgi : : svm cpl0 end svm:clgi
0f 01 =de : skinit : 0oszapcdi : svm cpl0 end svm:skinit
0f 01 =df : invlpga : : svm cpl0 end svm:invlpga
np 0f 01 =e8 : serialize : : serialize end
f2 0f 01 =e8 : xsusldtrk : : tsxldtrk
f2 0f 01 =e9 : xresldtrk : : tsxldtrk
np 0f 01 =ee : rdpkru : : pku
np 0f 01 =ef : wrpkru : : pku end
f3 0f 01 =e8 : setssbsy : : cet_ss cpl0 end
f3 0f 01 =ea : saveprevssp : : cet_ss end
f3 0f 01 mem /5 : rstorssp +Mq : c 0oszap : cet_ss end
0f 01 =f8 : swapgs : : only64 cpl0 end
0f 01 =f9 : rdtscp : : rdtscp x:rdtscp
np 0f 01 =fa : monitorx : : monitorx svm:monitor
np 0f 01 =fb : mwaitx : : monitorx end svm:mwait
0f 01 =fc : clzero : : clzero
np 0f 01 =fd : rdpru : c 0oszap : rdpru svm:rdpru
np 0f 01 =fe : invlpgb : : invlpgb cpl0 end svm:invlpgb
np 0f 01 =ff : tlbsync : : invlpgb cpl0 end svm:invlpgb
0f 05 : syscall : oszapcdi <oszapcdi : syscall end
0f 06 : clts : : cpl0 end vmx:cr_access svm:cr0_write
0f 07 : sysret : oszapcdtin : syscall cpl0 end
0f 08 : invd : : cpl0 end x:invd
0f 09 : wbinvd : : cpl0 end x:wbinvd
f3 0f 09 : wbnoinvd : : wbnoinvd cpl0 end x:wbinvd
0f 20 : mov =Ry Cy : ?oszapc : modreg f64 cpl0 vmx:cr_access svm:cr_read
0f 21 : mov =Ry Dy : ?oszapc : modreg f64 cpl0 x:dr_access
0f 22 : mov =Cy Ry : ?oszapc : modreg f64 cpl0 end vmx:cr_access svm:cr_write
0f 23 : mov =Dy Ry : ?oszapc : modreg f64 cpl0 end x:dr_access
0f 30 : wrmsr : : msr cpl0 end vmx:wrmsr svm:msr
0f 31 : rdtsc : : tsc x:rdtsc
0f 32 : rdmsr : : msr cpl0 vmx:rdmsr svm:msr
0f 33 : rdpmc : : x:rdpmc
0f 34 : sysenter : 0iv : sep protected end
0f 35 : sysexit : : sep protected cpl0 end
np 0f 37 : getsec : : smx end vmx:getsec
np 0f 78 : vmread =Ey Gy : zc 0osap : vmx f64 cpl0 vmx:vmread
np 0f 79 : vmwrite Gy Ey : zc 0osap : vmx f64 cpl0 vmx:vmwrite
0f a2 : cpuid : : x:cpuid
0f aa : rsm : oszapcdtin : end svm:rsm
np 0f ae mem /0 : fxsave =Mfx : : fxsr
np 0f ae mem /1 : fxrstor Mfx : : fxsr end
np 0f ae mem /2 : ldmxcsr Md : : sse v vl0
np 0f ae mem /3 : stmxcsr =Md : : sse v vl0
np 0f ae mem /4 : xsave +Mxs : : xsave
np 0f ae mem /5 : xrstor Mxs : : xsave end
np 0f ae mem /6 : xsaveopt +Mxs : : xsaveopt
np 0f ae mem /7 : clflush ~Mb : : clfsh
66 0f ae mem /6 : clwb ~Mb : : clwb
66 0f ae mem /7 : clflushopt ~Mb : : clflushopt
np 0f ae reg /5 : lfence : : sse2
np 0f ae reg /6 : mfence : : sse2
np 0f ae reg /7 : sfence : : sse
f3 0f ae reg /0 : rdfsbase =Ry : : fsgsbase only64
f3 0f ae reg /1 : rdgsbase =Ry : : fsgsbase only64
f3 0f ae reg /2 : wrfsbase Ry : : fsgsbase only64
f3 0f ae reg /3 : wrgsbase Ry : : fsgsbase only64
f3 0f ae /4 : ptwrite Ey : : ptwrite
f3 0f ae reg /5 : incssp Ry : : cet_ss
f3 0f ae mem /6 : clrssbsy +Mq : c 0oszap : cet_ss cpl0
66 0f ae reg /6 : tpause Rd : c 0oszap : waitpkg end vmx:tpause
f3 0f ae reg /6 : umonitor ~Ra : : waitpkg
f2 0f ae reg /6 : umwait Rd : c 0oszap : waitpkg end vmx:umwait
np 0f c7 mem /3 : xrstors Mxs : : xsaves cpl0 end vmx:xrstors
np 0f c7 mem /4 : xsavec =Mxs : : xsavec
np 0f c7 mem /5 : xsaves =Mxs : : xsaves cpl0 vmx:xsaves
np 0f c7 mem /6 : vmptrld Mq : zc 0osap : vmx cpl0 vmx:vmptrld
66 0f c7 mem /6 : vmclear +Mq : zc 0osap : vmx cpl0 vmx:vmclear
f3 0f c7 mem /6 : vmxon Mq : zc 0osap : vmx cpl0 end vmx:vmxon
np 0f c7 mem /7 : vmptrst =Mq : zc 0osap : vmx cpl0 vmx:vmptrst
66 0f38 80 mem : invept Gy Mdq : zc 0osap : vmx f64 cpl0 end vmx:invept
66 0f38 81 mem : invvpid Gy Mdq : zc 0osap : vmx f64 cpl0 end vmx:invvpid
66 0f38 82 mem : invpcid Gy Mdq : : invpcid f64 cpl0 end vmx:invpcid svm:invpcid
66 0f38 f5 mem : wruss =My Gy : : cet_ss cpl0
np 0f38 f6 mem : wrss =My Gy : : cet_ss
`;
